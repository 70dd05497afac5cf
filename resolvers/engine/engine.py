"""The engine: a schema, its rules, and the ways in which an operation is answered.

`answer` tries the fast path, one statement whose bytes are the response, and otherwise takes the standard path:
graphql-core's executor over data that one loose statement has read. A mutation's root fields run one after another,
each in a transaction of its own; its payload is read on that transaction's connection, before the commit.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import re
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, cast

import asyncpg
import orjson
from graphql import (
    ExecutionResult,
    GraphQLError,
    GraphQLObjectType,
    OperationType,
    execute,
)
from graphql.execution.collect_fields import FieldDetails, collect_fields
from graphql.execution.values import VariableValues, get_argument_values
from strawberry import Schema
from strawberry.exceptions import StrawberryInputCoercionError
from strawberry.types.arguments import convert_arguments

from resolvers.engine import build, changes, words
from resolvers.engine.compiler import Compiler, Operation, Rules
from resolvers.engine.documents import Document, Documents, Refused
from resolvers.engine.garbage import cleared
from resolvers.engine.limits import OverLimit
from resolvers.engine.plans import BadInput, NotCompilable, Place, Plan, Run, an_id_of
from resolvers.engine.standard import Told, install

PLANS = 2000


class Asks(Protocol):
    """Who asks: his role is part of a plan's key."""

    @property
    def role(self) -> Any: ...


class Reads(Protocol):
    """Where statements run: a pool, or one connection."""

    async def fetchval(self, sql: str, *args: Any) -> Any: ...


@dataclasses.dataclass(slots=True, eq=False)
class Request:
    """One request: its text and variables, who asks, the values that statements bind of him, and where reads go.

    Nothing changes it; that nothing can would cost a microsecond for each.
    """

    text: str
    variables: Mapping[str, Any]
    name: str | None
    actor: Asks
    asker: Mapping[str, Any]
    reads: Reads

    async def unmark(self, text: bytes) -> bytes:
        """The text with its marks replaced: sealed values opened, what is told once told. By the API's own request."""
        raise NotImplementedError("this request opens nothing")


Outcome = bytes | dict[str, Any]
"""What a mutation answers, read as its author may see it: final text, or data for the standard path."""
Payload = Callable[[Any, str, uuid.UUID], Awaitable[Outcome]]
"""(connection, type, id) -> a mutation's outcome, read there."""


@dataclasses.dataclass(frozen=True, slots=True)
class Verb:
    """A mutation's root field, about to be run."""

    request: Request
    word: words.Verb
    name: str
    """The field's Python name."""
    run: Callable[..., Awaitable[uuid.UUID]]
    given: dict[str, Any]
    """Its arguments as GraphQL coerced them."""
    arguments: dict[str, Any]
    """The same as Python values, by Python name."""
    payload: Payload


@dataclasses.dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription that was asked for: what it selects, of which thing, and after which cursor it begins."""

    document: Document
    values: VariableValues
    field: str
    subject: uuid.UUID | None
    """None for an id of another kind, which nothing has."""
    since: str | None
    keys: tuple[uuid.UUID, ...] = ()
    """What an announcement names that wakes him."""
    seconds: float = 0.0
    """How long nothing more is told after something was."""


Write = Callable[[Compiler], Plan]
Perform = Callable[[Verb], Awaitable[Outcome | Told]]
"""Runs a verb in its transaction: its outcome, or a refusal."""


class Hidden(Exception):
    """A verb's author may not see its outcome, or a promise in it is broken: a bug, so the verb is undone."""


class Engine:
    """Answers operations against one schema."""

    def __init__(
        self,
        schema: Schema,
        rules: Rules,
        ruled: set[str],
        perform: Perform,
        *,
        introspection: bool = True,
        suggestions: bool = True,
    ) -> None:
        self.strawberry, self.schema, self.rules, self.perform = schema, schema._schema, rules, perform
        build.check(self.schema, rules, ruled)
        install(self.schema)
        self.documents = Documents(self.schema, introspection=introspection, suggestions=suggestions)
        self.shown: Callable[[tuple[str, ...], bytes], None] | None = None
        """Is told of each answer that lists what is noted as seen: the roots' keys, and the answer."""
        self.compiled = 0
        """How many statements were written so far."""
        self._plans: OrderedDict[Any, Plan | NotCompilable] = OrderedDict()

    # the ways in

    async def answer(self, request: Request, document: Document | None = None) -> bytes | ExecutionResult:
        """The response's bytes, or a result with errors for the door to write. Raises Refused."""
        document = document or self.document(request)
        if document.kind is OperationType.SUBSCRIPTION:
            raise Refused([BadInput("订阅请通过 WebSocket 或 SSE 连接。", "NOT_A_STREAM")])
        if document.kind is OperationType.MUTATION:
            return await self._mutation(request, document, self.coerced(document, request))
        return await self.query(request, document)

    async def query(self, request: Request, document: Document) -> bytes | ExecutionResult:
        """The same for a document that is a query."""
        answer = await self.fast(request, document, self.coerced(document, request))
        return answer if answer is not None else await self.standard(request, document)

    def document(self, request: Request) -> Document:
        """The request's document, measured with its variables. Raises Refused."""
        document = self.documents.get(request.text, request.name)
        try:
            document.limit(request.variables)
        except GraphQLError as error:
            raise Refused([error]) from None
        return document

    def coerced(self, document: Document, request: Request) -> VariableValues:
        """The request's variables. Raises Refused."""
        return document.coerce(request.variables)

    async def fast(self, request: Request, document: Document, values: VariableValues) -> bytes | None:
        """The response's bytes by one statement; None where the standard path has to answer."""
        try:
            plan = self.plan(document, values, request.actor.role, strict=True)
            arguments = plan.arguments(Run(values, request.asker))
        except (GraphQLError, NotCompilable):
            return None
        try:
            found: bytes | None = await request.reads.fetchval(plan.sql, *arguments)
        except asyncpg.DataError:
            return None
        if plan.shows and self.shown is not None and found is not None:
            self.shown(plan.shows, found)
        return await request.unmark(found) if plan.marked and found is not None else found

    async def standard(self, request: Request, document: Document) -> ExecutionResult:
        """graphql-core's executor, on the kept document, over data that one statement has read."""
        values = self.coerced(document, request)
        return await self._execute(request, document, await self._data(request, document, values))

    async def _execute(self, request: Request, document: Document, root: Any) -> ExecutionResult:
        result = execute(
            self.schema,
            document.node,
            root_value=root,
            context_value=request,
            variable_values=dict(request.variables),
            operation_name=request.name,
        )
        awaited = await result if inspect.isawaitable(result) else result
        assert isinstance(awaited, ExecutionResult)
        return awaited

    async def _data(self, request: Request, document: Document, values: VariableValues) -> Any:
        run = Run(values, request.asker)
        plan, arguments = self._loose(document, values, request.actor.role, (), Compiler.query, run)
        try:
            found = await request.reads.fetchval(plan.sql, *arguments)
        except asyncpg.DataError as error:
            raise Refused([BadInput("输入含有无法存储或超出范围的值。")], variables=True) from error
        return orjson.loads(await request.unmark(found) if plan.marked else found)["data"]

    # subscriptions

    def subscription(self, request: Request, document: Document) -> Subscription:
        """What a document of the kind SUBSCRIPTION asks to be told. Raises Refused."""
        values = self.coerced(document, request)
        try:
            op = Operation(document.operation, document.fragments, values)
            _, field, word, details = changes.root(self.schema, op)
            given = get_argument_values(field, details[0].node, values)
            name, since = details[0].node.name.value, given.get("since")
            if isinstance(word, words.Stream):
                assert word.keys is not None
                keys = tuple(word.keys(request.actor))
                return Subscription(document, values, name, keys[0] if keys else None, since, keys, word.seconds)
            entity = words.entity_of(self.schema.type_map[word.subject])
            assert entity is not None
            subject = an_id_of(entity.prefix)(given["id"])
        except GraphQLError as error:
            raise Refused([error], variables=True) from None
        return Subscription(document, values, name, subject, since, () if subject is None else (subject,))

    def sees(self, request: Request, asked: Subscription) -> tuple[Plan, list[Any]]:
        """The statement of one cell that says whether the thing is there for the asker."""
        plan = self._kept(asked.document, asked.values, request.actor.role, True, ("seen",), changes.seen)
        return plan, plan.arguments(Run(asked.values, request.asker, asked.subject))

    def due(
        self, request: Request, asked: Subscription, span: tuple[Place, Place], *, strict: bool = True
    ) -> tuple[Plan, list[Any], bool]:
        """The statement that answers the events between two places, its parameters, and whether its texts are final.

        Where they are not, `told` makes the answer of each.
        """
        run, role = Run(asked.values, request.asker, asked.subject, span), request.actor.role
        if strict:
            try:
                plan = self._kept(asked.document, asked.values, role, True, (), changes.due)
                return plan, plan.arguments(run), True
            except (GraphQLError, NotCompilable):
                pass
        return *self._loose(asked.document, asked.values, role, (), changes.due, run), False

    async def told(self, request: Request, asked: Subscription, text: bytes) -> ExecutionResult:
        """The answer of one event by the standard path, over a text that is not final, with its marks replaced."""
        return await self._execute(request, asked.document, orjson.loads(text)["data"])

    # plans

    def plan(self, document: Document, values: VariableValues, role: Any, *, strict: bool) -> Plan:
        """The plan of a query, written now or before. Raises NotCompilable, and GraphQLError for bad arguments."""
        return self._kept(document, values, role, strict, (), Compiler.query)

    def _loose(
        self, document: Document, values: VariableValues, role: Any, more: tuple[Any, ...], write: Write, run: Run
    ) -> tuple[Plan, list[Any]]:
        """A loose plan's statement and parameters; where a value is wrong, a plan for these values, errors in place."""
        plan = self._kept(document, values, role, False, more, write)
        try:
            return plan, plan.arguments(run)
        except GraphQLError:
            plan = self._write(document, values, role, False, write)[1]
            return plan, plan.arguments(run)

    def _kept(
        self,
        document: Document,
        values: VariableValues,
        role: Any,
        strict: bool,
        more: tuple[Any, ...],
        write: Write,
    ) -> Plan:
        key = (document.serial, document.key(values.coerced, role, strict), more)
        plan = self._plans.get(key)
        if plan is not None:
            self._plans.move_to_end(key)
        else:
            by_prefix, plan = self._write(document, values, role, strict, write)
            if isinstance(plan, Plan) and plan.failed:
                return plan  # errors of these values, not of this shape
            if not by_prefix <= document.by_prefix:
                document.by_prefix |= by_prefix
                key = (document.serial, document.key(values.coerced, role, strict), more)
            self._plans[key] = plan
            if len(self._plans) > PLANS:
                self._plans.popitem(last=False)
        if isinstance(plan, NotCompilable):
            raise NotCompilable(*plan.args)  # the one that is kept would gather the frames of everybody who asks
        return plan

    def _write(
        self, document: Document, values: VariableValues, role: Any, strict: bool, write: Write
    ) -> tuple[set[str], Any]:
        """A plan, or why there is none, and the variables whose type prefix is part of its key."""
        with cleared():
            return self._written(document, values, role, strict, write)

    def _written(
        self, document: Document, values: VariableValues, role: Any, strict: bool, write: Write
    ) -> tuple[set[str], Any]:
        operation = Operation(document.operation, document.fragments, values)
        compiler = Compiler(self.schema, self.rules, operation, role, strict)
        self.compiled += 1
        try:
            return compiler.by_prefix, write(compiler)
        except NotCompilable as no:
            return compiler.by_prefix, NotCompilable(*no.args)  # which holds no frames, and with them no values
        except RecursionError:
            raise Refused([OverLimit("查询嵌套过深。", "TOO_DEEP")]) from None

    # mutations

    async def _mutation(self, request: Request, document: Document, values: VariableValues) -> bytes | ExecutionResult:
        root = self.schema.mutation_type
        assert root is not None
        try:
            fields = collect_fields(self.schema, document.fragments, values, root, document.operation).grouped_field_set
        except GraphQLError:  # null for a directive's `if`: the executor will say so itself
            return await self._execute(request, document, {})
        alone = len(fields) == 1
        done: dict[str, Any] = {}
        for key, details in fields.items():
            name = details[0].node.name.value
            if name == "__typename":
                continue
            try:
                done[key] = await self._verb(request, document, values, name, details, alone=alone)
            except Exception as error:
                if alone and not isinstance(error, GraphQLError):
                    raise
                done[key] = error
        if alone and done:
            ((key, text),) = done.items()
            if isinstance(text, bytes):
                return b'{"data":{"%s":%s}}' % (key.encode(), text)
        return await self._execute(request, document, done)

    async def _verb(
        self,
        request: Request,
        document: Document,
        values: VariableValues,
        name: str,
        details: list[FieldDetails],
        *,
        alone: bool,
    ) -> Outcome | Told:
        root = self.schema.mutation_type
        assert root is not None
        field = root.fields[name]
        definition = field.extensions[words.BACKREF]
        given = get_argument_values(field, details[0].node, values)
        converter = self.strawberry.schema_converter
        try:
            arguments = convert_arguments(
                given, definition.arguments, converter.scalar_registry, self.strawberry.config
            )
        except StrawberryInputCoercionError as no:
            # Of all that it says, the name of the field is for clients.
            named = re.search(r"Field '(\w+)'", no.message)
            raise BadInput(f"字段{f'“{named[1]}”' if named else ''}可以不填，但不能为 null。") from no

        async def payload(connection: Any, type_name: str, reference: uuid.UUID) -> Outcome:
            type_ = self.schema.type_map[type_name]
            assert isinstance(type_, GraphQLObjectType)
            run, role = Run(values, request.asker, reference), request.actor.role
            key = (id(details[0].node), type_name)

            def write(compiler: Compiler) -> Plan:
                return compiler.payload(type_, details)

            found: bytes | None = None
            if alone:
                try:
                    plan = self._kept(document, values, role, True, key, write)
                    found = await connection.fetchval(plan.sql, *plan.arguments(run))
                except (GraphQLError, NotCompilable):
                    pass
                if found is not None:
                    return await request.unmark(found) if plan.marked else found
            plan, bound = self._loose(document, values, role, key, write, run)
            found = await connection.fetchval(plan.sql, *bound)
            if found is None:
                raise Hidden(f"{type_name} {reference}")
            return cast(dict[str, Any], orjson.loads(await request.unmark(found) if plan.marked else found))

        verb = Verb(
            request,
            words.word_of(field),
            definition.python_name,
            _function(definition.base_resolver),
            given,
            arguments,
            payload,
        )
        return await self.perform(verb)


def _function(resolver: Any) -> Callable[..., Awaitable[uuid.UUID]]:
    """A resolver's function; a root object, of which there is none, stands for its `self`."""
    function: Callable[..., Awaitable[uuid.UUID]] = resolver.wrapped_func
    return function if resolver.self_parameter is None else functools.partial(function, None)


__all__ = [
    "Engine",
    "Hidden",
    "Outcome",
    "Payload",
    "Perform",
    "Refused",
    "Request",
    "Rules",
    "Subscription",
    "Told",
    "Verb",
]
