"""A model gateway for the SDKs and the coding agents, whose models always say the same word, "jeton".

It also has an MCP server without tools, and exchanges an identity token for one of the gateway's own.
"""
import json

import common

MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "stub",
    "content": [{"type": "text", "text": "jeton"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 1},
}
COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "stub",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "jeton"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}
ITEM = {
    "id": "item_1",
    "type": "message",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "jeton", "annotations": []}],
}
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "status": "completed",
    "model": "stub",
    "output": [ITEM],
    "usage": {
        "input_tokens": 1,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 1,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 2,
    },
}


def events(*events):
    text = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
    return 200, [("Content-Type", "text/event-stream")], text.encode()


def message_stream():
    start = {**MESSAGE, "content": [], "stop_reason": None, "usage": {"input_tokens": 1, "output_tokens": 0}}
    return events(
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "jeton"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 1}},
        {"type": "message_stop"},
    )


def response_stream():
    begun = {**RESPONSE, "status": "in_progress", "output": []}
    return events(
        {"type": "response.created", "response": begun, "sequence_number": 0},
        {"type": "response.output_item.done", "output_index": 0, "item": ITEM, "sequence_number": 1},
        {"type": "response.completed", "response": RESPONSE, "sequence_number": 2},
    )


def mcp(asked):
    result = {}
    if asked.get("method") == "initialize":
        version = asked["params"]["protocolVersion"]
        result = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": {"name": "stub", "version": "1"}}
    if asked.get("method") == "tools/list":
        result = {"tools": []}
    if "id" not in asked:
        return 202, [], b""
    return common.as_json({"jsonrpc": "2.0", "id": asked["id"], "result": result})


def exchanged(asked):
    """Returns a token of the gateway's own for a good assertion (RFC 7523)."""
    number, good = common.GATE.judge(asked.get("assertion", ""))
    common.GATE.record(f"assertion {number}")
    if not good:
        return common.as_json({"error": "invalid_grant"}, 400)
    token = f"exchanged-{number}"
    common.GATE.command(f"good {token}")
    return common.as_json({"access_token": token, "token_type": "Bearer", "expires_in": 3600})


class Handler(common.Handler):
    headers_with_token = ("x-api-key",)
    open_paths = ("/v1/oauth/token",)

    def do(self, path):
        asked = json.loads(self.body) if self.body else {}
        streams = asked.get("stream", False)
        if path == "/v1/messages":
            return message_stream() if streams else common.as_json(MESSAGE)
        if path == "/v1/messages/count_tokens":
            return common.as_json({"input_tokens": 1})
        if path == "/v1/chat/completions":
            return common.as_json(COMPLETION)
        if path == "/v1/responses":
            return response_stream() if streams else common.as_json(RESPONSE)
        if path == "/v1/oauth/token":
            return exchanged(asked)
        if path == "/mcp":
            # The server sends no messages on its own, so there is no stream for GET.
            return mcp(asked) if self.command == "POST" else (405, [], b"")
        if path == "/v1/models":
            return common.as_json({"object": "list", "data": [], "models": []})
        return 404, [], b""

    def refusal(self):
        error = {"type": "error", "error": {"type": "authentication_error", "message": "no"}}
        return common.as_json(error, 401)


common.serve(Handler)
