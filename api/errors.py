"""Errors at the top level of an answer, as clients see them: Chinese, with a code and advice, and nothing inside out."""

from __future__ import annotations

import dataclasses
from typing import Any

from graphql import GraphQLError, GraphQLSyntaxError

from models.problems import Retry
from resolvers.context import failure


@dataclasses.dataclass(frozen=True, slots=True)
class Failure:
    """A kind of failure that is no refusal of a verb: its code, what to say and what to do."""

    code: str
    message: str
    retry: Retry
    status: int
    retry_after_seconds: int | None = None


MALFORMED = Failure("MALFORMED_REQUEST", "请求格式不正确。", Retry.CHANGE_INPUT, 400)
TOO_LARGE = Failure("BODY_TOO_LARGE", "请求体过大，最多 1 MB。", Retry.CHANGE_INPUT, 413)
MEDIA_TYPE = Failure(
    "UNSUPPORTED_MEDIA_TYPE", "请求体须为 application/json；上传文件用 multipart/form-data。", Retry.CHANGE_INPUT, 415
)
NOT_ACCEPTABLE = Failure(
    "NOT_ACCEPTABLE", "只能返回 application/json 或 application/graphql-response+json。", Retry.CHANGE_INPUT, 406
)
STREAM_ONLY = Failure("NOT_ACCEPTABLE", "订阅请用 WebSocket，或接受 text/event-stream。", Retry.CHANGE_INPUT, 406)
METHOD = Failure("METHOD_NOT_ALLOWED", "请用 POST；查询也可用 GET。", Retry.CHANGE_INPUT, 405)
BAD_DOCUMENT = Failure("BAD_DOCUMENT", "查询文档无效。", Retry.CHANGE_INPUT, 400)
BAD_VARIABLES = Failure("BAD_VARIABLES", "变量与查询文档声明的类型不符。", Retry.CHANGE_INPUT, 400)
BAD_INPUT = Failure("BAD_INPUT", "输入无效。", Retry.CHANGE_INPUT, 400)
UNAUTHENTICATED = Failure("UNAUTHENTICATED", "登录已失效，请重新登录。", Retry.SIGN_IN, 401)
OUT_OF_SCOPE = Failure("OUT_OF_SCOPE", "该密钥没有查询权限。", Retry.NEVER, 403)
RATE_LIMITED = Failure("RATE_LIMITED", "请求过于频繁，请稍后再试。", Retry.LATER, 429, 1)
KEY_LIMITED = Failure("RATE_LIMITED", "该密钥本分钟的用量已满，请稍后再试。", Retry.LATER, 429, 1)
ORIGIN = Failure("ORIGIN_NOT_ALLOWED", "该来源的网页不可连接。", Retry.NEVER, 403)
TOO_MANY_CONNECTIONS = Failure("TOO_MANY_CONNECTIONS", "连接过多，请先关闭一些。", Retry.LATER, 429, 30)
TOO_MANY_OPERATIONS = Failure("TOO_MANY_OPERATIONS", "同时进行的操作过多，请先结束一些。", Retry.LATER, 429, 1)
BUSY = Failure("BUSY", "系统繁忙，请稍后再试。", Retry.LATER, 503, 1)
DEADLINE = Failure("DEADLINE", "处理超时，没有任何改动，请稍后再试或缩小查询范围。", Retry.LATER, 503, 2)
UNAVAILABLE = Failure("UNAVAILABLE", "数据库暂时无法连接，请稍后用同一幂等键重试。", Retry.LATER, 503, 2)
STORAGE_FULL = Failure("STORAGE_FULL", "存储空间已满，暂时无法保存，请稍后用同一幂等键重试。", Retry.LATER, 503, 30)
INTERNAL = Failure("INTERNAL", "服务器内部错误，已记录。", Retry.LATER, 500, 5)
PREFLIGHT = Failure("PREFLIGHT_REQUIRED", "上传请求须带 Authorization 等自定义请求头。", Retry.CHANGE_INPUT, 403)
UPLOAD_MALFORMED = Failure("UPLOAD_MALFORMED", "上传请求不符合 GraphQL multipart 规范。", Retry.CHANGE_INPUT, 400)
UPLOAD_MISSING = Failure("UPLOAD_FILE_MISSING", "map 中指明的文件没有上传。", Retry.CHANGE_INPUT, 400)
UPLOAD_UNUSED = Failure("UPLOAD_FILE_UNUSED", "上传了 map 中没有指明的文件。", Retry.CHANGE_INPUT, 400)
UPLOAD_MANY = Failure("UPLOAD_TOO_MANY_FILES", "一次上传的文件过多，请分次上传。", Retry.CHANGE_INPUT, 413)
UPLOAD_LARGE = Failure("UPLOAD_TOO_LARGE", "上传的文件总量过大。", Retry.CHANGE_INPUT, 413)
UPLOAD_SLOW = Failure("UPLOAD_TOO_SLOW", "上传超时，请在网络良好时重试。", Retry.LATER, 408, 5)
UPLOADS_BUSY = Failure("UPLOADS_BUSY", "同时上传的文件过多，请稍后再试。", Retry.LATER, 503, 3)
NO_STORAGE = Failure("STORAGE_UNAVAILABLE", "文件存储暂时不可用，请稍后再试。", Retry.LATER, 503, 30)
STANDING = (
    MALFORMED,
    TOO_LARGE,
    MEDIA_TYPE,
    NOT_ACCEPTABLE,
    METHOD,
    BAD_DOCUMENT,
    BAD_VARIABLES,
    BAD_INPUT,
    UNAUTHENTICATED,
    OUT_OF_SCOPE,
    RATE_LIMITED,
    ORIGIN,
    TOO_MANY_CONNECTIONS,
    TOO_MANY_OPERATIONS,
    PREFLIGHT,
    UPLOAD_MALFORMED,
    UPLOAD_MISSING,
    UPLOAD_UNUSED,
    UPLOAD_MANY,
    UPLOAD_LARGE,
    UPLOAD_SLOW,
    UPLOADS_BUSY,
    NO_STORAGE,
    BUSY,
    DEADLINE,
    UNAVAILABLE,
    STORAGE_FULL,
    INTERNAL,
)
OURS = {
    "BAD_INPUT",
    "BAD_ID",
    "BAD_CURSOR",
    "TOO_DEEP",
    "TOO_MANY_ALIASES",
    "TOO_MANY_FRAGMENTS",
    "TOO_MANY_FIELDS",
    "TOO_EXPENSIVE",
    "TOO_LONG",
    "UNKNOWN_OPERATION",
    "INTROSPECTION_OFF",
    "NOT_A_STREAM",
    "NOT_FOUND",
    "CURSOR_TOO_OLD",
    "DOCUMENT_NOT_PUBLISHED",
    "DOCUMENT_HASH_MISMATCH",
    "PERSISTED_QUERY_NOT_FOUND",
    "PERSISTED_QUERY_NOT_SUPPORTED",
}
"""Codes of errors that the engine raises, with a message of its own."""
LONGEST = 300


BY_CODE = {f.code: f for f in (BUSY, DEADLINE, BAD_INPUT, UNAVAILABLE, STORAGE_FULL, INTERNAL)}


def failure_of(error: BaseException) -> Failure | None:
    """What an exception is to the client, by the code that the audit log has for it; None for what is no failure of this request."""
    return BY_CODE[failure(error)] if isinstance(error, Exception) else None


def failed(failure: Failure, request_id: str, detail: str | None = None) -> dict[str, Any]:
    """A failure as an error of the answer."""
    extensions: dict[str, Any] = {"code": failure.code, "retry": failure.retry.value}
    if failure.retry_after_seconds is not None:
        extensions["retryAfterSeconds"] = failure.retry_after_seconds
    if detail:
        extensions["detail"] = detail[:LONGEST]
    extensions["requestId"] = request_id
    return {"message": failure.message, "extensions": extensions}


def told(error: GraphQLError, request_id: str, failure: Failure = BAD_DOCUMENT) -> dict[str, Any]:
    """An error of graphql-core or of the engine, as clients see it. `failure` is what an unnamed one counts as."""
    original = error.original_error
    code = (error.extensions or {}).get("code")
    if code in OURS:
        advice = {"code": code, "retry": Retry.CHANGE_INPUT.value, "requestId": request_id}
        out: dict[str, Any] = {"message": _only(error.message), "extensions": advice}
    elif original is not None and not isinstance(original, GraphQLError):
        out = failed(INTERNAL, request_id)
    else:
        kind = BAD_DOCUMENT if isinstance(error, GraphQLSyntaxError) else failure
        out = failed(kind, request_id, error.message)
    if error.path:
        out["path"] = error.path
    if error.locations:
        out["locations"] = [{"line": at.line, "column": at.column} for at in error.locations[:5]]
    return out


def _only(message: str) -> str:
    """Our own sentence, where graphql-core has put its words before it."""
    return message.rpartition("; ")[2] if "got invalid value" in message else message
