#!/usr/bin/env python3
"""What stands in for Terraform's google provider where that cannot be had, or must not be asked.

    provider.py SCHEMA.json FAKES.json        (terraform starts it, see `install`)

It speaks version 6 of the plugin protocol to the real terraform: `init`, `validate`, `plan`, `apply`,
`test` and `destroy` run without network, account or credentials, and nothing is made. It serves the
schema that `terraform providers schema -json` prints (a part of it, see `renew`), marks what a
provider computes as unknown while planning and invents it when applying, and believes the state.

It knows what a schema knows: names, types, what is required, how many blocks, which words. It cannot
know what Google would refuse, what conflicts, or what forces a replacement: every change is an
update here. Needs grpcio and msgpack; and the command openssl, for terraform insists on TLS.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from concurrent import futures

import grpc
import msgpack

UNKNOWN = msgpack.ExtType(0, b"\0")
NESTING = {"single": 1, "list": 2, "set": 3, "map": 4, "group": 5}


# Protobuf, as much of it as the protocol needs; the numbers are those of tfplugin6.proto.


def varint(number):
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def put(field, value):
    """One field: bytes, a string, a number or a flag; nothing for what is left at its default."""
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return varint(field << 3 | 2) + varint(len(value)) + value
    return varint(field << 3) + varint(int(value)) if value else b""


def fields(data):
    """The last value of each field: no request repeats one that is read here."""
    found, at = {}, 0

    def read():
        nonlocal at
        number = shift = 0
        while True:
            byte, at = data[at], at + 1
            number, shift = number | (byte & 127) << shift, shift + 7
            if byte < 128:
                return number

    while at < len(data):
        tag = read()
        value = read()
        if tag & 7 == 2:
            value, at = data[at : at + value], at + value
        found[tag >> 3] = value
    return found


def value_in(message):
    found = fields(message or b"")
    if found.get(2):
        return json.loads(found[2])
    return msgpack.unpackb(found[1], strict_map_key=False) if found.get(1) else None


def value_out(value):
    return put(1, msgpack.packb(value))


def diagnostic(summary, detail, path):
    steps = (put(1, step) if isinstance(step, str) else varint(3 << 3) + varint(step) for step in path)
    path = b"".join(put(1, step) for step in steps)
    return put(1, varint(1 << 3) + varint(1) + put(2, summary) + put(3, detail) + put(4, path))


# A schema, and values of it.


def block_out(block):
    out = b""
    for name, it in sorted(block.get("attributes", {}).items()):
        out += put(2, put(1, name) + put(2, json.dumps(it["type"])) + put(4, it.get("required")) + put(5, it.get("optional"))
                   + put(6, it.get("computed")) + put(7, it.get("sensitive")) + put(11, it.get("write_only")))
    for name, it in sorted(block.get("block_types", {}).items()):
        out += put(3, put(1, name) + put(2, block_out(it["block"])) + put(3, NESTING[it["nesting_mode"]])
                   + put(4, it.get("min_items")) + put(5, it.get("max_items")))
    return out


def schema_out(schema):
    return put(1, schema.get("version", 0)) + put(2, block_out(schema.get("block", {})))


def walk(block, value, visit, path=()):
    """visit(holder, name, attribute, path) for each attribute of a value."""
    for name, attribute in block.get("attributes", {}).items():
        visit(value, name, attribute, (*path, name))
    for name, it in block.get("block_types", {}).items():
        inner = value.get(name)
        if isinstance(inner, dict):
            items = [((), inner)] if it["nesting_mode"] in ("single", "group") else [((key,), one) for key, one in inner.items()]
        else:  # what is in a set has no address
            items = [(() if it["nesting_mode"] == "set" else (at,), one) for at, one in enumerate(inner if isinstance(inner, list) else [])]
        for step, one in items:
            if isinstance(one, dict):
                walk(it["block"], one, visit, (*path, name, *step))


def zero(kind, hint):
    if isinstance(kind, str):
        return {"string": hint, "number": 1, "bool": False}.get(kind)
    if kind[0] == "object":
        return {name: zero(inner, f"{hint}-{name}") for name, inner in kind[1].items()}
    return {} if kind[0] == "map" else []


class Provider:
    """The methods that begin with a capital are those of the protocol, bytes to bytes."""

    def __init__(self, schema, fakes):
        with open(schema, encoding="utf-8") as file:
            schemas = next(iter(json.load(file)["provider_schemas"].values()))
        with open(fakes, encoding="utf-8") as file:
            self.fakes = json.load(file)
        self.provider, self.resources, self.data = schemas["provider"], schemas["resource_schemas"], schemas["data_source_schemas"]
        self.config = {}

    def invent(self, kind, value, name, attribute):
        """What a computed attribute becomes: a fake, in which {names} are other attributes, or its type's zero."""
        known = {name: it for name, it in {**self.config, **value}.items() if isinstance(it, (str, int))}
        label = next((str(known[name]) for name in ("name", "account_id", "secret_id", "dataset_id") if name in known), "x")
        for fakes in (self.fakes.get(kind, {}), self.fakes["*"]):
            if name in fakes:
                fake = fakes[name]
                for _ in range(3):  # a fake may lean on another one
                    fake = re.sub(r"\{(\w+)\}", lambda it: str(known.get(it[1], fakes.get(it[1], label))), fake)
                return fake
        return zero(attribute["type"], f"{label}-{name}")

    def settle(self, kind, block, value):
        def visit(holder, name, attribute, path):
            if isinstance(holder.get(name), msgpack.ExtType):
                holder[name] = self.invent(kind, {**value, **holder}, name, attribute)

        walk(block, value, visit)
        return value

    @staticmethod
    def forget_computed(block, value):
        def visit(holder, name, attribute, path):
            if attribute.get("computed") and holder.get(name) is None:
                holder[name] = UNKNOWN
            if attribute.get("write_only"):
                holder[name] = None

        walk(block, value, visit)
        return value

    def GetProviderSchema(self, _request):
        out = put(1, schema_out(self.provider)) + put(6, put(1, True))
        for field, table in ((2, self.resources), (3, self.data)):
            out += b"".join(put(field, put(1, name) + put(2, schema_out(it))) for name, it in table.items())
        return out

    def ValidateProviderConfig(self, _request):
        return b""

    def ConfigureProvider(self, request):
        config = value_in(fields(request).get(2)) or {}
        self.config = {name: it for name, it in config.items() if it is not None}
        return b""

    def validate(self, table, request):
        found, problems = fields(request), []

        def visit(holder, name, attribute, path):
            value, words = holder.get(name), attribute.get("x_enum")
            if words and isinstance(value, str) and value not in ("", *words):
                problems.append(diagnostic(f"invalid value for {name}", f"expected one of {words}, got {value}", path))

        walk(table[found[1].decode()]["block"], value_in(found.get(2)) or {}, visit)
        return b"".join(problems)

    def ValidateResourceConfig(self, request):
        return self.validate(self.resources, request)

    def ValidateDataResourceConfig(self, request):
        return self.validate(self.data, request)

    def UpgradeResourceState(self, request):
        return put(1, put(2, fields(fields(request)[3])[1]))

    def ReadResource(self, request):
        found = fields(request)
        return put(1, found[2]) + put(3, found.get(3, b""))

    def PlanResourceChange(self, request):
        found = fields(request)
        planned = value_in(found.get(3))
        if planned is not None:
            self.forget_computed(self.resources[found[1].decode()]["block"], planned)
        return put(1, value_out(planned)) + put(5, True)

    def ApplyResourceChange(self, request):
        found = fields(request)
        kind, planned = found[1].decode(), value_in(found.get(3))
        if planned is not None:
            self.settle(kind, self.resources[kind]["block"], planned)
        return put(1, value_out(planned)) + put(4, True)

    def ReadDataSource(self, request):
        found = fields(request)
        kind, value = found[1].decode(), value_in(found[2])
        block = self.data[kind]["block"]
        return put(1, value_out(self.settle(kind, block, self.forget_computed(block, value))))

    def StopProvider(self, _request):
        return b""


# The handshake: a line on standard output says where, and with which certificate.


def credentials():
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                        "-keyout", f"{folder}/key", "-out", f"{folder}/certificate"], check=True, capture_output=True)
        with open(f"{folder}/key", "rb") as key, open(f"{folder}/certificate", "rb") as certificate:
            pair = (key.read(), certificate.read())
    return grpc.ssl_server_credentials([pair]), b"".join(pair[1].split(b"\n")[1:-2]).rstrip(b"=").decode()


def main(schema, fakes):
    if "TF_PLUGIN_MAGIC_COOKIE" not in os.environ:
        sys.exit(__doc__)
    provider, done = Provider(schema, fakes), threading.Event()
    unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    server = grpc.server(futures.ThreadPoolExecutor(4), options=unlimited)

    def serve(name, methods):
        handlers = {method: grpc.unary_unary_rpc_method_handler(lambda request, _, answer=answer: answer(request))
                    for method, answer in methods.items()}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, handlers),))

    serve("tfplugin6.Provider", {name: getattr(provider, name) for name in dir(provider) if name[0].isupper()})
    serve("plugin.GRPCController", {"Shutdown": lambda _: (done.set(), b"")[1]})
    serve("grpc.health.v1.Health", {"Check": lambda _: put(1, 1)})
    certificate = ""
    if "PLUGIN_CLIENT_CERT" in os.environ:
        secure, certificate = credentials()
        port = server.add_secure_port("127.0.0.1:0", secure)
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"1|6|tcp|127.0.0.1:{port}|grpc|{certificate}", flush=True)
    done.wait()
    server.stop(0.2).wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
