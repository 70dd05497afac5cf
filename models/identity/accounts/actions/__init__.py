"""The verbs of accounts. What needs a slow hash is in two parts: a proof before the transaction, the verb inside it."""

from models.identity.accounts.actions.first import AdministratorExists, first_administrator
from models.identity.accounts.actions.inviting import disable, enable, invite
from models.identity.accounts.actions.own import (
    begin_totp,
    confirm_totp,
    end_totp,
    renew_recovery_codes,
    set_password,
)
from models.identity.accounts.actions.proof import (
    Proof,
    choose_by_invitation,
    prove_again,
    prove_and_choose,
    prove_if_account,
    prove_login,
)
from models.identity.accounts.actions.signing_in import activate, sign_in

__all__ = [
    "AdministratorExists",
    "Proof",
    "activate",
    "begin_totp",
    "choose_by_invitation",
    "confirm_totp",
    "disable",
    "enable",
    "end_totp",
    "first_administrator",
    "invite",
    "prove_again",
    "prove_and_choose",
    "prove_if_account",
    "prove_login",
    "renew_recovery_codes",
    "set_password",
    "sign_in",
]
