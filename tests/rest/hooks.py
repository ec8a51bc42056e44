"""What schemathesis has to be told about the REST API beyond its description."""

import hashlib

import schemathesis

# Longest wait that a rack's long poll may ask for here, in milliseconds: the server would keep to it, up to half a minute.
LONGEST_WAIT = 20


@schemathesis.hook
def map_body(context, body):
    return plain(body)


def plain(value):
    """2.0 is an integer to a JSON schema; the server takes integers as people write them, without a point."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return value


@schemathesis.hook
def before_call(context, case, kwargs):
    body = case.body
    if isinstance(body, dict) and isinstance(body.get("wait_ms"), int):
        body["wait_ms"] = min(body["wait_ms"], LONGEST_WAIT)


@schemathesis.serializer("application/x-headend-pack")
def pack(context, value):
    """A pack with one record of these bytes; bytes that were to be wrong go as they are."""
    content = value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")
    if context.case.meta is not None and context.case.meta.generation.mode.is_negative:
        return content
    return f"{digest(content)} {len(content)}\n".encode() + content


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


@schemathesis.check
def a_refusal_is_a_whole_problem(ctx, response, case):
    """What the schema of a problem cannot say: its parts fit each other and the status."""
    if response.status_code < 400:
        return
    problem = response.json()
    assert problem["status"] == response.status_code, f"a problem of status {problem['status']}"
    assert problem["type"] == "/problems/" + problem["code"], "type and code of the problem differ"
    assert problem["title"] and problem["detail"], "the problem does not say what is wrong"
