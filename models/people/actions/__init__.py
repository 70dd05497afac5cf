"""Verbs about people: registering, applying, granting capacities, revealing contacts."""

from models.people.actions.availability import Absence, Availability, Window, set_availability
from models.people.actions.avoidances import add_avoidance, remove_avoidance
from models.people.actions.contacts import end_contact_grants, grant_contact, reveal_contacts
from models.people.actions.finding import find_person, record_identity
from models.people.actions.guardians import record_consent, withdraw_consent
from models.people.actions.joining import (
    accept_membership,
    ask_to_join,
    end_volunteering,
    invite_to_join,
    refuse_membership,
    withdraw_request,
)
from models.people.actions.memberships import grant_membership, revoke_membership
from models.people.actions.moving import move_resident, reject_resident
from models.people.actions.myself import edit_myself
from models.people.actions.organizations import (
    OrganizationInput,
    apply_for_organization,
    edit_organization,
    reject_organization,
    submit_organization,
    take_volunteer,
    verify_organization,
)
from models.people.actions.persons import (
    correct_person,
    new_person,
    of_number,
    of_phone,
    set_address,
    set_identity,
    set_name,
    set_phone,
)
from models.people.actions.qualifications import (
    add_qualification,
    reject_qualification,
    revoke_qualification,
    tell_ending,
    verify_qualification,
    withdraw_qualification,
)
from models.people.actions.residents import PersonInput, ResidentInput, edit_care, register_resident, verify_resident
from models.people.actions.social_workers import register_social_worker
from models.people.actions.volunteers import (
    VolunteerInput,
    edit_volunteer,
    register_volunteer,
    reject_volunteer,
    resume_volunteer,
    suspend_volunteer,
    verify_volunteer,
    withdraw_volunteer,
)

__all__ = [
    "Absence",
    "Availability",
    "OrganizationInput",
    "PersonInput",
    "ResidentInput",
    "VolunteerInput",
    "Window",
    "accept_membership",
    "add_avoidance",
    "add_qualification",
    "apply_for_organization",
    "ask_to_join",
    "correct_person",
    "edit_care",
    "edit_myself",
    "edit_organization",
    "edit_volunteer",
    "end_contact_grants",
    "end_volunteering",
    "find_person",
    "grant_contact",
    "grant_membership",
    "invite_to_join",
    "move_resident",
    "new_person",
    "of_number",
    "of_phone",
    "record_consent",
    "record_identity",
    "refuse_membership",
    "register_resident",
    "register_social_worker",
    "register_volunteer",
    "reject_organization",
    "reject_qualification",
    "reject_resident",
    "reject_volunteer",
    "remove_avoidance",
    "resume_volunteer",
    "reveal_contacts",
    "revoke_membership",
    "revoke_qualification",
    "set_address",
    "set_availability",
    "set_identity",
    "set_name",
    "set_phone",
    "submit_organization",
    "suspend_volunteer",
    "take_volunteer",
    "tell_ending",
    "verify_organization",
    "verify_qualification",
    "verify_resident",
    "verify_volunteer",
    "withdraw_consent",
    "withdraw_qualification",
    "withdraw_request",
    "withdraw_volunteer",
]
