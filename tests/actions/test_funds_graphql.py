"""Money as clients see it: three gifts spent over GraphQL, who sees what, and that an anonymous donor's name is nowhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
import pytest
import strawberry

from models.access import PUBLIC_ACTOR, Actor, Role
from models.funds import actions
from models.funds.inputs import AllocationInput, DonorInput
from models.funds.rules import DonorKind
from models.pool import Pool
from models.problems import NotFound
from resolvers.activity import ActivityQuery
from resolvers.context import Context, asker
from resolvers.engine.engine import Engine
from resolvers.exchange import ExchangeQuery
from resolvers.funds import FundsMutation, FundsQuery
from resolvers.people import PeopleQuery
from resolvers.reports import ReportsQuery
from resolvers.territory import TerritoryQuery
from tests import make_funds as make
from tests.asking import Asked, engine_of
from tests.make_funds import COMMUNITY, DISABLED, ELDERLY, POVERTY, SHENHE, Books


@strawberry.type
class Query(TerritoryQuery, PeopleQuery, ExchangeQuery, ActivityQuery, FundsQuery, ReportsQuery):
    pass


@pytest.fixture(scope="module")
def engine() -> Engine:
    return engine_of(Query, FundsMutation)


class Scene:
    """A foundation, and a way to ask about it."""

    def __init__(self, ask: Asked, books: Books) -> None:
        self.ask, self.books, self.at = ask, books, books.at
        self.keys = 0

    async def do(self, actor: Actor, field: str, arguments: str, selection: str = "id", **variables: Any) -> Any:
        """A mutation's outcome or problem, with its type."""
        self.keys += 1
        text = (
            f'mutation {{ {field}({arguments}, idempotencyKey: "key-{self.keys:08}") {{ __typename'
            f" ... on Problem {{ code message }} ... on RestrictionViolation {{ detail available {{ amount }} }}"
            f" ... on InsufficientFunds {{ available {{ amount }} }} ... on AuthorisationRequired {{ threshold {{ amount }} }}"
            f" {selection} }} }}"
        )
        declared = await self.ask(actor, _fitting(text, field), **variables)
        return declared[field]


def _fitting(text: str, field: str) -> str:
    """The text without fragments on problems that the mutation's union does not have."""
    members = {m.__name__ for m in (getattr(getattr(actions, VERBS[field]), "refuses", ()))}
    for name in ("RestrictionViolation", "InsufficientFunds", "AuthorisationRequired"):
        if name not in members:
            start = text.find(f"... on {name}")
            end = text.index("} }", start) + 3
            text = text[:start] + text[end:]
    return text


VERBS = {
    "fundCreate": "create_fund",
    "donationRecord": "record_donation",
    "donationReverse": "reverse_donation",
    "allocationCreate": "create_allocation",
    "allocationSubmit": "submit_allocation",
    "allocationApprove": "approve_allocation",
    "allocationClose": "close_allocation",
    "disbursementCreate": "create_disbursement",
    "disbursementSubmit": "submit_disbursement",
    "disbursementApprove": "approve_disbursement",
    "disbursementAuthorise": "authorise_disbursement",
    "disbursementPay": "pay_disbursement",
    "disbursementSettle": "settle_disbursement",
    "disbursementConfirmReceipt": "confirm_receipt",
}


@pytest.fixture
async def scene(engine: Engine, pool: Pool, now: datetime) -> AsyncIterator[Scene]:
    async with pool.connection() as connection:
        at = await make.foundation(connection)
        yield Scene(Asked(engine, pool, now), Books(connection, now, at))


STATEMENT = """query ($from: Date!, $to: Date!) {
  fundStatement(from: $from, to: $to) {
    fund { name } total { opening { amount } received { amount } spent { amount } closing { amount } }
    restricted { closing { amount } } unrestricted { closing { amount } } }
  fundRestrictions(from: $from, to: $to) {
    restriction { category { code } division { code name } } amounts { spent { amount } closing { amount } } } }"""


async def test_job_six_over_graphql(scene: Scene) -> None:
    at, do = scene.at, scene.do
    fund = (await do(at.maker, "fundCreate", 'input: {name: "综合基金", kind: UNRESTRICTED}', "... on Fund { id }"))[
        "id"
    ]

    async def gift(yuan: str, donor: str, more: str = "") -> Any:
        given = f'fund: "{fund}", amount: {{amount: "{yuan}"}}, channel: TARGETED, newDonor: {{{donor}}}{more}'
        return await do(
            at.maker,
            "donationRecord",
            f"input: {{{given}}}",
            "... on Donation { id no publicName restricted donor { label name } }",
        )

    first = await gift(
        "50000.00",
        'kind: PERSON, name: "赵试验"',
        f', restriction: {{categoryCode: "{DISABLED}", areaCode: "{SHENHE}"}}, publishName: true, publicName: "赵老师"',
    )
    second = await gift("20000.00", 'kind: PERSON, name: "钱试验"')
    third = await gift("30000.00", "kind: ANONYMOUS", f', restriction: {{categoryCode: "{POVERTY}"}}')
    assert (first["publicName"], first["donor"]) == ("赵老师", {"label": "赵*", "name": None})
    assert (third["publicName"], third["donor"]) == ("匿名", {"label": "匿名", "name": None})

    refused = await do(
        at.maker,
        "allocationCreate",
        f'input: {{title: "为老项目", amount: {{amount: "50000.00"}}, categoryCode: "{ELDERLY}", areaCode: "{SHENHE}",'
        f' donations: ["{first["id"]}"]}}',
        "... on Allocation { id }",
    )
    assert (refused["code"], refused["available"]) == ("RESTRICTION_VIOLATION", {"amount": "0.00"})
    assert first["no"] in refused["detail"]

    plan = await do(
        at.maker,
        "allocationCreate",
        f'input: {{title: "助残项目", amount: {{amount: "60000.00"}}, categoryCode: "{DISABLED}", areaCode: "{SHENHE}"}}',
        "... on Allocation { id status lines { amount { amount } donation { id } } viewerCan { submit approve close } }",
    )
    assert plan["status"] == "DRAFT"
    assert plan["lines"] == [
        {"amount": {"amount": "50000.00"}, "donation": {"id": first["id"]}},
        {"amount": {"amount": "10000.00"}, "donation": {"id": second["id"]}},
    ]
    assert plan["viewerCan"] == {"submit": True, "approve": False, "close": True}
    of_plan = f'id: "{plan["id"]}"'
    assert (await do(at.maker, "allocationSubmit", of_plan, "... on Allocation { status }"))["status"] == "SUBMITTED"
    assert (await do(at.checker, "allocationApprove", of_plan, "... on Allocation { status }"))["status"] == "APPROVED"

    payment = await do(
        at.maker,
        "disbursementCreate",
        f'input: {{allocation: "{plan["id"]}", amount: {{amount: "60000.00"}}, payeeName: "某某康复器材供应商"}}',
        "... on Disbursement { id needsAuthoriser viewerCan { submit pay return } }",
    )
    assert payment["needsAuthoriser"]
    assert payment["viewerCan"] == {"submit": True, "pay": False, "return": False}
    of = f'id: "{payment["id"]}"'
    await do(at.maker, "disbursementSubmit", of, "... on Disbursement { id }")
    same = Actor(Role.FUND_CHECKER, at.maker.person, at.id)
    told = await do(same, "disbursementApprove", of, "... on Disbursement { id }")
    assert (told["__typename"], told["message"]) == ("MakerIsChecker", "经办、复核与审批须由不同的人担任。")
    await do(at.checker, "disbursementApprove", of, "... on Disbursement { id }")
    told = await do(at.maker, "disbursementPay", of, "... on Disbursement { id }")
    assert (told["code"], told["threshold"]) == ("AUTHORISATION_REQUIRED", {"amount": "10000.00"})
    await do(at.authoriser, "disbursementAuthorise", of, "... on Disbursement { id }")
    await do(at.maker, "disbursementPay", of, "... on Disbursement { id }")
    paid = await do(
        at.maker,
        "disbursementSettle",
        f'{of}, bankRef: "BK-1"',
        "... on Disbursement { status traces { amount { amount } donation { id fund { totals { balance { amount } } } } } }",
    )
    left = {"fund": {"totals": {"balance": {"amount": "40000.00"}}}}
    assert paid["traces"] == [
        {"amount": {"amount": "50000.00"}, "donation": {"id": first["id"], **left}},
        {"amount": {"amount": "10000.00"}, "donation": {"id": second["id"], **left}},
    ]
    assert paid["status"] == "PAID"

    told = await scene.ask(at.reporter, STATEMENT, **{"from": "2026-11-01", "to": "2026-11-30"})
    assert told["fundStatement"] == [
        {
            "fund": {"name": "综合基金"},
            "total": {
                "opening": {"amount": "0.00"},
                "received": {"amount": "100000.00"},
                "spent": {"amount": "60000.00"},
                "closing": {"amount": "40000.00"},
            },
            "restricted": {"closing": {"amount": "30000.00"}},
            "unrestricted": {"closing": {"amount": "10000.00"}},
        }
    ]
    assert [(line["restriction"], line["amounts"]["closing"]["amount"]) for line in told["fundRestrictions"]] == [
        (None, "10000.00"),
        ({"category": {"code": DISABLED}, "division": {"code": SHENHE, "name": "沈河区"}}, "0.00"),
        ({"category": {"code": POVERTY}, "division": None}, "30000.00"),
    ]
    months = await scene.ask(
        at.reporter,
        'query { fundMonths(from: "2026-10-01", months: 3) { fund { id name } month received { amount } spent { amount }'
        " closing { amount } donationCount } }",
    )
    assert [(m["month"], m["closing"]["amount"], m["donationCount"]) for m in months["fundMonths"]] == [
        ("2026-10-01", "0.00", 0),
        ("2026-11-01", "40000.00", 3),
        ("2026-12-01", "40000.00", 0),
    ]


EVERYTHING = """{
  funds(first: 3) { edges { node { name kind note organization { name } restriction { category { code } division { code } since until }
    totals { balance { amount } restricted { amount } unrestricted { amount } received { amount } donationCount }
    accounts(first: 8) { code name kind balance { amount } }
    donations(first: 3) { totalCount edges { node { publicName } } } } } }
  donors(first: 5) { edges { node { kind label name giver { name } donations(first: 5) { edges { node { no } } } } } }
  donations(first: 5) { totalCount edges { node { no publicName publishName designation externalTxn reason restricted status
    amount { amount } free { amount } unspent { amount } donor { label name } recordedBy { name }
    traces(first: 3) { title amount { amount } category { code } division { name } disbursement { no } } viewerCan { reverse } } } }
  myDonations(first: 5) { edges { node { no publicName } } }
  allocations(first: 5) { edges { node { no title purpose status left { amount } fund { name } requestedBy { name }
    lines(first: 3) { amount { amount } consumed { amount } fund { name } donation { publicName donor { label name } } }
    disbursements(first: 3) { edges { node { no payeeName bankRef status maker { name } traces(first: 3) { amount { amount } } } } }
    viewerCan { submit approve reject close spend } } } }
  disbursements(first: 3) { edges { node { no amount { amount } allocation { no } payeeOrganization { name } payeeResident { id }
    viewerCan { submit approve authorise reject pay settle cancel confirm return close } } } }
  ledgerTxns(first: 8) { edges { node { no kind at month donation { no } entries(first: 4) { account { code } amount { amount } } } } }
}"""


async def spent(scene: Scene) -> dict[str, UUID]:
    """Job 6's gifts and payment, with accounts for the donors."""
    books, c = scene.books, scene.books.connection
    people = [await make.person(c) for _ in range(3)]
    fund = await books.fund()
    person = DonorKind.PERSON
    gifts = [
        await books.gift(
            fund, 50_000, by=DonorInput(person, "赵试验", people[0]), category=DISABLED, area=SHENHE, publish_name=True
        ),
        await books.gift(fund, 20_000, by=DonorInput(person, "钱试验", people[1]), designation="愿早日康复"),
        await books.gift(
            fund, 30_000, by=DonorInput(DonorKind.ANONYMOUS, person=people[2]), category=POVERTY, external_txn="P-9"
        ),
    ]
    plan = await books.approved(60_000)
    payment = await books.paid(plan, 60_000, "BK-9")
    return dict(
        zip(("fund", "first", "second", "third", "plan", "payment"), (fund, *gifts, plan, payment), strict=True)
    ) | dict(zip(("zhao", "qian", "sun"), people, strict=True))


async def test_who_sees_which_money(scene: Scene) -> None:
    rows = await spent(scene)
    at, ask = scene.at, scene.ask
    other = await make.foundation(scene.books.connection, "乙试验基金会")
    staff = Actor(Role.COMMUNITY_STAFF, rows["sun"], None, SHENHE)
    seen: dict[str, tuple[int, ...]] = {}
    answers: dict[str, Any] = {}
    for name, actor in {
        "maker": at.maker,
        "reporter": at.reporter,
        "other": other.maker,
        "auditor": Actor(Role.AUDITOR, rows["zhao"]),
        "zhao": Actor(Role.RESIDENT, rows["zhao"], None, COMMUNITY),
        "qian": Actor(Role.VOLUNTEER, rows["qian"], None, COMMUNITY),
        "sun": Actor(Role.RESIDENT, rows["sun"], None, COMMUNITY),
        "staff": staff,
        "elsewhere": Actor(Role.COMMUNITY_STAFF, at.reporter.person, None, "210102"),
        "viewer": Actor(Role.CITY_VIEWER, at.reporter.person, None, "2101"),
        "ngo": Actor(Role.NGO_STAFF, at.reporter.person, other.id),
        "public": PUBLIC_ACTOR,
    }.items():
        data = answers[name] = await ask(actor, EVERYTHING)
        kinds = ("donors", "donations", "myDonations", "allocations", "disbursements", "ledgerTxns")
        seen[name] = tuple(len(data[kind]["edges"]) for kind in kinds)
        assert data["funds"]["edges"][0]["node"]["totals"]["balance"]["amount"] == "40000.00"
        assert data["donations"]["totalCount"] == seen[name][1]
    assert seen == {
        "maker": (3, 3, 0, 1, 1, 4),
        "reporter": (3, 3, 0, 1, 1, 4),
        "other": (0, 0, 0, 0, 0, 0),
        "auditor": (3, 3, 1, 1, 1, 4),
        "zhao": (1, 1, 1, 0, 0, 0),
        "qian": (1, 2, 1, 0, 0, 0),
        "sun": (1, 2, 1, 0, 0, 0),
        "staff": (1, 2, 1, 1, 1, 0),
        "elsewhere": (0, 1, 0, 0, 0, 0),
        "viewer": (0, 1, 0, 0, 0, 0),
        "ngo": (0, 1, 0, 0, 0, 0),
        "public": (0, 1, 0, 0, 0, 0),
    }
    texts = {name: orjson.dumps(data).decode() for name, data in answers.items()}
    for name, text in texts.items():
        assert "钱试验" not in text
        assert "孙" not in text
        assert ("BK-9" in text) == (name in ("maker", "reporter", "auditor"))
        assert ("P-9" in text) == (name in ("maker", "reporter", "auditor", "sun", "staff"))
        assert ("愿早日康复" in text) == (name in ("maker", "reporter", "auditor", "qian"))
        assert ("赵试验" in text) == (name != "other")
    for name, data in answers.items():
        recorders = [e["node"]["recordedBy"] for e in data["donations"]["edges"]]
        inside = name in ("maker", "reporter", "auditor")
        assert [r is not None for r in recorders] == [inside] * len(recorders), name
    labels = [edge["node"]["label"] for edge in answers["reporter"]["donors"]["edges"]]
    assert labels == ["赵*", "钱*", "匿名"]
    assert [edge["node"]["name"] for edge in answers["reporter"]["donors"]["edges"]] == [None] * 3
    qian = {e["node"]["no"]: e["node"] for e in answers["qian"]["donations"]["edges"]}
    own = next(e["node"]["no"] for e in answers["qian"]["myDonations"]["edges"])
    assert qian[own]["traces"] == [
        {
            "title": "试验项目",
            "amount": {"amount": "10000.00"},
            "category": {"code": DISABLED},
            "division": {"name": "沈河区"},
            "disbursement": None,
        }
    ]


async def test_who_is_of_the_payee_is_not_told_that_he_may_sign(scene: Scene) -> None:
    books, c, at = scene.books, scene.books.connection, scene.at
    await books.gift(await books.fund(), 500)
    plan = await books.approved(500)
    company = await make.organization(c, "试验供应社", "SOCIAL_ORG")
    payment = await books.payment(plan, 1, payee_organization=company)
    await actions.submit_disbursement(books.db(at.maker), payment)
    text, id = "query ($id: ID!) { disbursement(id: $id) { viewerCan { approve } } }", f"disbursement_{payment}"
    assert (await scene.ask(at.checker, text, id=id))["disbursement"]["viewerCan"]["approve"]
    await c.execute(
        "INSERT INTO membership (person_id, organization_id, role, starts_on, granted_at)"
        " VALUES ($1, $2, 'NGO_STAFF', $3, $4)",
        *(at.checker.person, company, books.now.date(), books.now),
    )
    assert not (await scene.ask(at.checker, text, id=id))["disbursement"]["viewerCan"]["approve"]
    told = await scene.do(at.checker, "disbursementApprove", f'id: "{id}"', "... on Disbursement { id }")
    assert told["__typename"] == "PayeeIsApprover"


async def test_hidden_looks_like_absent(scene: Scene) -> None:
    rows = await spent(scene)
    other = await make.foundation(scene.books.connection, "乙试验基金会")
    text = """query ($d: ID!, $a: ID!, $p: ID!) {
      donation(id: $d) { no } allocation(id: $a) { no } disbursement(id: $p) { no } }"""
    ids = {"d": f"donation_{rows['second']}", "a": f"allocation_{rows['plan']}", "p": f"disbursement_{rows['payment']}"}
    shown = await scene.ask(scene.at.checker, text, **ids)
    assert all(shown.values())
    for actor in (other.maker, PUBLIC_ACTOR, Actor(Role.CITY_VIEWER, rows["zhao"], None, "2101")):
        assert await scene.ask(actor, text, **ids) == {"donation": None, "allocation": None, "disbursement": None}
    refused = await scene.do(
        other.checker, "donationReverse", f'id: "{ids["d"]}", reason: "重复登记"', "... on Donation { id }"
    )
    assert refused["__typename"] == "NotFound"


async def test_from_a_need_to_the_traced_gifts(scene: Scene) -> None:
    books, c = scene.books, scene.books.connection
    requester = await make.person(c)
    need = await make.need(c, books.now, requester)
    fund = await books.fund("助残专项")
    await books.gift(fund, 300, category=DISABLED, publish_name=True)
    given = AllocationInput("坡道改造", 25_000, fund=fund, need=need)
    with pytest.raises(NotFound):
        await actions.create_allocation(books.db(books.at.maker), given)
    await make.asked(c, need, books.at.id, requester, books.now)
    plan = await actions.create_allocation(books.db(books.at.maker), given)
    await actions.submit_allocation(books.db(books.at.maker), plan)
    await actions.approve_allocation(books.db(books.at.checker), plan)
    await books.paid(plan, 250, authorise=False)
    walk = """query ($id: ID!) { need(id: $id) { title allocations(first: 2) { title status amount { amount } category { code }
      division { code } fund { name totals { balance { amount } } }
      disbursements(first: 3) { edges { node { amount { amount } traces(first: 3) { amount { amount } donation { publicName fund { name } } } } } }
      lines(first: 3) { consumed { amount } donation { publicName } } } } }"""
    staff = Actor(Role.COMMUNITY_STAFF, requester, None, COMMUNITY)
    expected = {
        "title": "坡道改造",
        "status": "ACTIVE",
        "amount": {"amount": "250.00"},
        "category": {"code": "DISABLED.AIDS"},
        "division": {"code": COMMUNITY},
        "fund": {"name": "助残专项", "totals": {"balance": {"amount": "50.00"}}},
        "disbursements": {
            "edges": [
                {
                    "node": {
                        "amount": {"amount": "250.00"},
                        "traces": [
                            {
                                "amount": {"amount": "250.00"},
                                "donation": {"publicName": "赵试验", "fund": {"name": "助残专项"}},
                            }
                        ],
                    }
                }
            ]
        },
        "lines": [{"consumed": {"amount": "250.00"}, "donation": {"publicName": "赵试验"}}],
    }
    for actor in (staff, books.at.reporter):
        told = await scene.ask(actor, walk, id=f"need_{need}")
        assert told["need"]["allocations"] == [expected]
    public = await scene.ask(PUBLIC_ACTOR, walk, id=f"need_{need}")
    assert public["need"] is None  # needs of money stand in no public list


@pytest.mark.parametrize(
    ("field", "good", "bad", "told"),
    [
        ("fundMonths(from: $a, months: $n) { month }", {"n": 36}, ({"n": 0}, {"n": 37}, {"n": -1}), "月数"),
        *(
            (f"{field}(from: $a, to: $b) {selection}", {"b": "2026-11-02"}, ({"b": "2026-11-01"},), "结束日")
            for field, selection in (
                ("fundStatement", "{ fund { id } }"),
                ("fundRestrictions", "{ fund { id } }"),
                ("fiveSocietyParticipation", "{ sessions }"),
                ("needFunnel", "{ submitted }"),
            )
        ),
    ],
)
async def test_what_a_report_is_asked_for_is_checked(
    scene: Scene, field: str, good: dict[str, Any], bad: tuple[dict[str, Any], ...], told: str
) -> None:
    """At each run, whether or not a plan is kept: an error in the field's place."""
    declared = "$a: Date!, $n: Int!" if "n" in good else "$a: Date!, $b: Date!"
    text = f"query ({declared}) {{ it: {field} me {{ id }} }}"
    ask, actor = scene.ask, scene.at.reporter

    async def refused(given: dict[str, Any]) -> None:
        context = Context(
            text, {"a": "2026-11-02", **given}, None, actor, asker(actor, ask.now), ask.pool, ask.pool, ask.now, 10.0
        )
        answer = await ask.engine.answer(context)
        assert not isinstance(answer, bytes)
        (error,) = answer.errors or ()
        assert (error.path, error.extensions) == (["it"], {"code": "BAD_INPUT"})
        assert error.message.startswith(told)

    for given in bad:
        await refused(given)
    assert "it" in await ask(actor, text, a="2026-11-02", **good)
    for given in bad:
        await refused(given)


async def test_counts_over_graphql(scene: Scene) -> None:
    text = """query ($from: Date!, $to: Date!, $level: DivisionLevel!) {
      fiveSocietyParticipation(from: $from, to: $to, level: $level, byCategory: false) { division { name } month sessions
        personTimes persons minutes minutesManual servedUnregistered }
      needFunnel(from: $from, to: $to, level: $level, areaCode: "210103") { division { name } category { name } month
        submitted verified matched delivered closed unmet medianHoursToVerify medianHoursToClose } }"""
    viewer = Actor(Role.DISTRICT_VIEWER, scene.at.maker.person, None, SHENHE)
    span = {"from": "2026-01-01", "to": "2026-12-31", "level": "STREET"}
    assert await scene.ask(viewer, text, **span) == {"fiveSocietyParticipation": [], "needFunnel": []}
