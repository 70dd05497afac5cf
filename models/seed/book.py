"""One fund's books while they are being made: gifts come in, plans take them, payments spend them."""

from __future__ import annotations

from collections import deque
from uuid import UUID

from models.access import Role
from models.funds import books
from models.funds.books import Spending, TxnKind
from models.funds.inputs import shown_as
from models.funds.restrictions import Purpose, Restriction, bound
from models.funds.rules import (
    LINES_AT_MOST,
    AllocationStatus,
    DisbursementStatus,
    DonationChannel,
    DonationStatus,
    DonorKind,
    needs_authoriser,
)
from models.seed import words
from models.seed.cast import CITY, DISTRICT, HOME, person_of
from models.seed.gifts import (
    AMOUNTS,
    CHANNELS,
    CHECKED,
    CONFIRMED,
    CORPORATE,
    HANDED,
    LAST_MONTH,
    NARROWER,
    OUT,
    PIPELINE,
    PURPOSES,
    REASONS,
    TITLES,
    Fund,
    Gift,
    Line,
    Plan,
    Posting,
)
from models.seed.sheets import DAY, HOUR, MINUTE, day
from models.seed.world import World

D, A = DisbursementStatus, AllocationStatus


class Book:
    """The books of one fund."""

    def __init__(self, world: World, fund: Fund, number: int) -> None:
        self.world, self.fund, self.of, self.sheets, self.number = world, fund, fund.of, world.sheets, number
        self.gifts: list[Gift] = []
        self.arrived = 0
        self.free: dict[Restriction, deque[Gift]] = {}
        self.postings: list[Posting] = []
        self.plans = 0

    def receive(self, count: int, since: int, funds: int) -> None:
        """Gifts from an instant until now, spread evenly. `funds`: their numbers interleave with those of so many."""
        world, fund, random = self.world, self.fund, self.world.rng.random
        span = world.now - HOUR - since
        restrictions = self._restrictions()
        for place in range(count):
            at = since + int(span * (place + random()) / count)
            donor = self.of.donors[place] if place < 2 and self.number == 0 else world.one(self.of.donors)
            fen, large = world.one(AMOUNTS), place == count - 3
            if donor[1] is DonorKind.ORGANIZATION:
                fen = world.one(CORPORATE)
            if large:
                fen = max(CORPORATE)
            own = restrictions[0] if large or random() < 0.84 else world.one(restrictions)
            gift = Gift(self.sheets.id("donation", at), place * funds + self.number + 1, donor, fen, at, fen, own)
            entries = books.gift(fund.id, fen, bool(own))
            posting = Posting(self.sheets.id("ledger_txn", at), TxnKind.GIFT, at, entries, donation=gift.id)
            self.postings.append(posting)
            if place % 400 == 31:
                gift.reversed, gift.free = True, 0
                back = min(at + DAY, world.now)
                again = (self.sheets.id("ledger_txn", back), TxnKind.GIFT_REVERSAL, back, books.reversal(entries))
                self.postings.append(Posting(*again, donation=gift.id, reverses=posting.id))
            self.gifts.append(gift)

    def _restrictions(self) -> list[Restriction]:
        """What gifts to the fund are bound to: the fund's own restriction, and narrower ones of their donors."""
        own = self.fund.restriction
        extra = [Restriction(until=day(self.world.now + 200 * DAY))]
        if own.category is None:
            extra += [Restriction(category="ELDERLY"), Restriction(category="POVERTY")]
        else:
            extra.append(Restriction(category=NARROWER[own.category]))
        if own.area != DISTRICT:
            extra.append(Restriction(area=DISTRICT))
        return [own, *(bound(one, own) for one in extra)]

    def spend(self, since: int, until: int, age: int) -> None:
        """A month's plans and payments. `age`: how many months ago it was; 0 is the current one."""
        random = self.world.rng.random
        if age == 0:
            middle = since + (until - since) // 2
            self._arrive(middle)
            self.plan(middle, A.ACTIVE, (D.PAID,), 0.2)
            at = max(middle, until - int((0.2 + 1.5 * random()) * DAY))
            self._arrive(at)
            status, payments = PIPELINE[self.number % len(PIPELINE)]
            large = (
                0.9 if D.AUTHORISED in payments else 0.6 if D.PAYING in payments else 0.35
            )  # these need an authoriser
            self.plan(at, status, payments, large)
            return
        self._arrive(since + 17 * DAY)
        for place in range(1 + int(random() * 3)):
            at = since + 17 * DAY + int((9 + 8 * random()) * HOUR)
            payments = (D.CLOSED,) * (1 + int(random() * 3))
            if age == 1:
                payments = tuple(LAST_MONTH[(self.number + place + i) % len(LAST_MONTH)] for i in range(len(payments)))
                payments = tuple(sorted(payments, key=lambda s: s is D.RETURNED))
            done = age > 2 or (age == 2 and random() < 0.5)
            self.plan(at, A.CLOSED if done else A.ACTIVE, payments, 0.3 + 0.3 * random())

    def _arrive(self, until: int) -> None:
        """Gifts that came before an instant may be taken."""
        while self.arrived < len(self.gifts) and self.gifts[self.arrived].at < until:
            gift = self.gifts[self.arrived]
            self.arrived += 1
            if gift.free:
                self.free.setdefault(gift.restriction, deque()).append(gift)

    # Plans and payments

    def plan(self, at: int, status: AllocationStatus, payments: tuple[DisbursementStatus, ...], share: float) -> None:
        """An allocation of a share of what is free, and its payments."""
        world, random = self.world, self.world.rng.random
        spending, purpose, need = self._purpose(at)
        admitted = [r for r in sorted(self.free, key=lambda r: r.breadth) if r.admits(purpose) and self.free[r]]
        target = int(share * sum(g.free for r in admitted for g in self.free[r]))
        self.plans += 1
        lines = self._take(admitted, max(1, target), at)
        if not lines:
            return
        requester, organization = self.of.maker, None
        if purpose.area == HOME and self.plans % 2:
            requester = person_of(Role.COMMUNITY_STAFF)
            if self.plans % 4 == 1:
                requester = person_of(Role.NGO_STAFF)
                organization = next(id for id, code in world.helpers if code == HOME)
        title = TITLES.get(
            (purpose.category or "").split(".")[0], "项目管理与票据" if spending is Spending.MGMT else "项目支出"
        )
        plan = Plan(
            *(self.sheets.id("allocation", at), title, spending, purpose, need, requester, organization, at, status),
            *(lines, sum(line.fen for line in lines)),
        )
        whole = status is not A.CLOSED or random() < 0.88
        to_pay = plan.fen if whole else max(1, plan.fen * 4 // 5)
        for place, payment in enumerate(payments):
            fen = to_pay if place == len(payments) - 1 else to_pay * (40 + int(20 * random())) // 100
            if fen > 0:
                self._pay(plan, payment, fen)
                to_pay -= fen
        if status in (A.CLOSED, A.REJECTED):
            self._give_back(plan)
        self._write(plan)

    def _purpose(self, at: int) -> tuple[Spending, Purpose, UUID | None]:
        """What to spend on: something that the fund itself admits."""
        world, own, random = self.world, self.fund.restriction, self.world.rng.random
        on = day(at + 12 * DAY)
        if not own and random() < 0.08:
            return Spending.MGMT, Purpose(None, CITY, on), None
        if world.wants and random() < 0.3:
            need, category, area = world.one(world.wants)
            purpose = Purpose(category, area, on)
            if own.admits(purpose):
                return Spending.CHARITY, purpose, need
        category = NARROWER[own.category] if own.category else world.one(PURPOSES)
        luck = random()
        area = HOME if luck < 0.4 else own.area or (DISTRICT if luck < 0.7 else CITY)
        return Spending.CHARITY, Purpose(category, area, on), None

    def _take(self, admitted: list[Restriction], target: int, at: int) -> list[Line]:
        """Lines of gifts, the narrowest restriction first, then in the order of arrival."""
        lines: list[Line] = []
        for restriction in admitted:
            queue = self.free[restriction]
            while queue and target > 0 and len(lines) < LINES_AT_MOST:
                gift = queue[0]
                fen = min(gift.free, target)
                lines.append(Line(self.sheets.id("allocation_line", at), gift, fen))
                gift.free -= fen
                target -= fen
                if not gift.free:
                    queue.popleft()
        return lines

    def _give_back(self, plan: Plan) -> None:
        """What an ended plan did not spend is free again."""
        for line in reversed(plan.lines):
            left = line.fen - line.consumed
            if left:
                line.returned = left
                queue = self.free[line.gift.restriction]
                if not line.gift.free:
                    queue.appendleft(line.gift)
                line.gift.free += left

    def _pay(self, plan: Plan, status: DisbursementStatus, fen: int) -> None:
        """A payment out of a plan, as far as its state says."""
        world, of, sheets, random = self.world, self.of, self.sheets, self.world.rng.random
        now = world.now
        made = min(plan.at + int((1 + random()) * DAY), now)
        paid = min(made + int((1 + 4 * random()) * DAY), now) if status in OUT else None
        authorised = needs_authoriser(plan.fen) and status in (*HANDED, D.AUTHORISED)
        if status is D.AUTHORISED and not authorised:
            status = D.APPROVED
        checked, handed = made + (now - made) // 8, made + (now - made) // 4
        if paid is not None:
            checked, handed = made + (paid - made) // 4, made + (paid - made) // 2
        told = min(paid + 2 * DAY, now) if paid is not None and status in CONFIRMED else None
        id = sheets.id("disbursement", made)
        luck = random()
        payee: tuple[object, ...] = (f"{world.one(words.COINED)}{world.one(words.SUPPLIERS)}", None, None, None)
        if luck < 0.3:
            payee = (None, world.one(world.helpers)[0], None, None)
        elif luck < 0.5 and plan.spending is Spending.CHARITY:
            resident, who, _ = world.one(world.residents)
            payee = (None, None, resident, who)
        sheets["disbursement"].append(
            (
                *(id, of.id, plan.id, plan.purpose.area, plan.requester, plan.requester_organization, plan.spending),
                *(needs_authoriser(plan.fen), *payee, fen, plan.title, status, of.maker, made),
                *((of.checker, checked) if status in CHECKED else (None, None)),
                *((of.authoriser, checked + (handed - checked) // 2) if authorised else (None, None)),
                *((handed, 1) if status in HANDED else (None, 0)),
                *((paid, f"BK{sheets.made['disbursement']:010d}") if paid is not None else (None, None)),
                *((CONFIRMED[status], payee[3] or of.checker, told) if told is not None else (None, None, None)),
                REASONS.get(status),
            )
        )
        if status not in (D.REJECTED, D.CANCELLED, D.RETURNED):
            plan.committed += fen
        if status is D.PAYING:
            self._hold(plan, id, fen)
        if paid is not None:
            self._post(plan, id, fen, handed, paid, back=min(paid + 3 * DAY, now) if status is D.RETURNED else None)

    def _hold(self, plan: Plan, disbursement: UUID, fen: int) -> None:
        """What a payment at the bank holds of its plan's lines."""
        for line in plan.lines:
            take = min(fen, line.fen - line.consumed)
            if take:
                held = self.sheets.id("disbursement_line", plan.at)
                self.sheets["disbursement_line"].append((held, disbursement, line.id, take))
                line.held, fen = take, fen - take

    def _post(self, plan: Plan, disbursement: UUID, fen: int, handed: int, paid: int, back: int | None) -> None:
        """The trace and the posting of a payment; and of its coming back."""
        sheets, fund = self.sheets, self.fund.id
        left = fen
        parts: list[books.Part[UUID]] = []
        tail = (self.of.id, plan.title, plan.spending, plan.purpose.category, plan.purpose.area, plan.requester)
        for line in plan.lines:
            take = min(left, line.fen - line.consumed - line.held)
            if take == 0:
                continue
            gift = line.gift
            parts.append(books.Part(fund, take, bool(gift.restriction)))
            trace = sheets.id("spend_trace", paid)
            head = (gift.id, disbursement, line.id, fund)
            sheets["spend_trace"].append((trace, *head, take, paid, day(handed), None, *tail, gift.donor[2]))
            if back is not None:
                undone = sheets.id("spend_trace", back)
                sheets["spend_trace"].append((undone, *head, -take, back, day(back), trace, *tail, gift.donor[2]))
            else:
                line.consumed += take
                gift.spent += take
            left -= take
            if left == 0:
                break
        entries = books.spending(parts, plan.spending)
        posting = Posting(sheets.id("ledger_txn", paid), TxnKind.SPENDING, paid, entries, disbursement=disbursement)
        self.postings.append(posting)
        if back is None:
            plan.spent += fen
        else:
            again = (sheets.id("ledger_txn", back), TxnKind.SPENDING_RETURN, back, books.reversal(entries))
            self.postings.append(Posting(*again, disbursement=disbursement, reverses=posting.id))

    # Rows

    def _write(self, plan: Plan) -> None:
        of, sheets, status = self.of, self.sheets, plan.status
        if plan.need is not None and plan.need not in of.asked:
            of.asked.add(plan.need)
            asked = (sheets.id("need_foundation", plan.at), plan.need, of.id, plan.requester, plan.at)
            sheets["need_foundation"].append(asked)
        submitted = status is not A.DRAFT
        approved = status in (A.APPROVED, A.ACTIVE, A.CLOSED)
        sheets["allocation"].append(
            (
                *(plan.id, of.id, self.fund.id, plan.title, plan.spending, plan.purpose.category, plan.purpose.area),
                *(plan.need, plan.fen, plan.committed, plan.spent, status, plan.requester, plan.requester_organization),
                *(plan.at, *((of.maker, plan.at + 10 * MINUTE) if submitted else (None, None))),
                *((of.checker, plan.at + 30 * MINUTE) if approved else (None, None)),
                min(plan.at + 12 * DAY, self.world.now) if status in (A.CLOSED, A.REJECTED) else None,
                "超出本月计划" if status is A.REJECTED else None,
            )
        )
        for position, line in enumerate(plan.lines, 1):
            sheets["allocation_line"].append(
                (
                    *(line.id, plan.id, line.gift.id, position, self.fund.id, bool(line.gift.restriction), line.fen),
                    *(line.consumed, line.returned, line.held, of.id, plan.purpose.area, plan.requester),
                )
            )

    def close(self) -> None:
        """Writes the gifts with what was taken of them, and the ledger in the order of time."""
        sheets, of, fund, random = self.sheets, self.of, self.fund, self.world.rng.random
        for gift in self.gifts:
            donor, kind, account, name = gift.donor
            publish = kind is not DonorKind.ANONYMOUS and random() < 0.5
            own, luck = gift.restriction, random()
            channel = (
                DonationChannel.CORPORATE if kind is DonorKind.ORGANIZATION else CHANNELS[int(luck * len(CHANNELS))]
            )
            allocated = 0 if gift.reversed else gift.fen - gift.free
            sheets["donation"].append(
                (
                    *(gift.id, f"JZ{gift.no:09d}", of.id, fund.id, donor, account, gift.fen, channel),
                    *(f"TX{gift.no:012d}", gift.at, None, bool(own), own.category, own.area, own.since, own.until),
                    *(own.breadth, publish, shown_as(kind, name, publish, None)),
                    *(DonationStatus.REVERSED if gift.reversed else DonationStatus.RECEIVED, allocated, gift.spent),
                    *(of.maker, gift.at + MINUTE, "重复登记" if gift.reversed else None),
                )
            )
        for p in sorted(self.postings, key=lambda p: (p.at, p.id.int)):
            month = day(p.at).replace(day=1)
            made_by = of.checker if p.kind is TxnKind.GIFT_REVERSAL else of.maker
            sheets["ledger_txn"].append(
                (p.id, of.id, p.kind, p.at, month, p.donation, p.disbursement, p.reverses, made_by, p.at)
            )
            for e in p.entries:
                entry = sheets.id("ledger_entry", p.at)
                account_id = fund.accounts[e.account]
                sheets["ledger_entry"].append((entry, p.id, account_id, fund.id, of.id, p.at, e.amount_fen))
