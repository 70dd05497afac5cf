"""Verbs: sign in by WeChat, prove a phone number, become one person."""

from models.identity.wechat.actions.claims import claim_record
from models.identity.wechat.actions.merging import merge_records
from models.identity.wechat.actions.phones import bind_phone
from models.identity.wechat.actions.sign_in import Shown, bind_wechat, shown, sign_in_with_wechat, unbind_wechat

__all__ = [
    "Shown",
    "bind_phone",
    "bind_wechat",
    "claim_record",
    "merge_records",
    "shown",
    "sign_in_with_wechat",
    "unbind_wechat",
]
