"""Validates the answers in a sandbox journal against botocore's own service models.

    python3 tests/botocore/validate.py WORLD/journal.ndjson ...

botocore parses each recorded answer (status, headers, body) as it would for a user; then the raw answer is compared with
the output shape: no member that the model does not have, every required member there, only modelled enum values,
timestamps in the protocol's format, and error codes that the operation's errors or the service's common errors know.
Prints `N operations, M answers checked, F findings`, and exits 1 if there is a finding or nothing was checked.
"""

import base64
import datetime
import json
import re
import sys
import xml.etree.ElementTree as ElementTree

# Since 1.46 the AWS CLI carries its botocore inside itself: the models checked against are the ones the CLI uses.
import awscli.botocore.compat
import awscli.botocore.model
import awscli.botocore.parsers
import awscli.botocore.session

SERVICES = {
    "cloudformation": "cloudformation", "ec2": "ec2", "eks": "eks", "iam": "iam", "logs": "logs",
    "s3": "s3", "sagemaker": "sagemaker", "servicequotas": "service-quotas", "ssm": "ssm", "sts": "sts",
}
REFUSAL = "NotPartOfTheSandbox"
# Where AWS sends what its own model does not have, the sandbox does as AWS does: service, path, value, and what says so.
KNOWN = [
    ("ec2", ".return", None, "the API reference's example of CreateSecurityGroup's answer begins with <return>"),
    ("ec2", ".VpcEndpoint.State", "available", "the API reference and the CLI's examples have the states in lower case"),
    ("ec2", ".VpcEndpoints[].State", "available", "as in CreateVpcEndpoint"),
    ("ec2", ".InternetGateways[].Attachments[].State", "available", "the member's own text: `available` when attached"),
    ("ec2", ".NetworkInterfaces[].InterfaceType", "nat_gateway", "the operation's own filter `interface-type` has it so"),
]
ISO = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)$")
HTTP_DATE = re.compile(r"^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$")


class Checker:
    def __init__(self):
        self.session = awscli.botocore.session.get_session()
        self.models = {}
        self.findings = {}
        self.operations = set()
        self.checked = 0
        self.refused = set()

    def model(self, service):
        if service not in self.models:
            loader = self.session.get_component("data_loader")
            data = loader.load_service_model(SERVICES[service], "service-2")
            self.models[service] = awscli.botocore.model.ServiceModel(data, SERVICES[service])
        return self.models[service]

    def find(self, entry, path, problem, value=None):
        path = re.sub(r"\[\d+\]", "[]", path)
        if any(known[:3] == (entry["service"], path, value) for known in KNOWN):
            return
        key = (entry["service"], entry["operation"], path, problem)
        self.findings.setdefault(key, entry["request_id"])

    def entry(self, entry):
        service, name = entry["service"], entry["operation"]
        if service not in SERVICES or entry["status"] == 0 or (entry["fault"] and entry["error"]):
            return
        if entry["error"] == REFUSAL:
            self.refused.add((service, name))
            return
        model = self.model(service)
        if name not in model.operation_names:
            self.find(entry, "", f"operation {name} is not in the model of {service}")
            return
        self.operations.add((service, name))
        self.checked += 1
        operation = model.operation_model(name)
        body = raw_body(entry["answer"])
        headers = headers_of(entry)
        parsed = self.parse(entry, model, operation, headers, body)
        if parsed is None:
            return
        if entry["status"] >= 300:
            self.error(entry, model, operation, parsed)
        elif operation.output_shape is not None and not operation.has_streaming_output:
            self.answer(entry, model, operation, headers, body, parsed)

    def parse(self, entry, model, operation, headers, body):
        protocol = model.metadata["protocol"]
        parser = awscli.botocore.parsers.create_parser(protocol)
        response = {"status_code": entry["status"], "headers": headers, "body": body, "context": {"operation_name": operation.name}}
        if operation.has_streaming_output and entry["status"] < 300:
            response["body"] = b""
        try:
            return parser.parse(response, operation.output_shape)
        except Exception as problem:  # whatever botocore cannot read is a finding
            self.find(entry, "", f"botocore cannot parse the answer: {problem}")
            return None

    def error(self, entry, model, operation, parsed):
        code = parsed.get("Error", {}).get("Code")
        if not code:
            self.find(entry, "", "an error without a code that botocore can read")
        elif entry["error"] and code != entry["error"] and not (entry["service"] == "s3" and code == str(entry["status"])):
            modelled = {shape.error_code: shape.name for shape in operation.error_shapes}
            if modelled.get(code) != entry["error"] and modelled.get(entry["error"]) != code:
                self.find(entry, "", f"botocore reads the code {code} where the sandbox meant {entry['error']}")
        request_id = parsed.get("ResponseMetadata", {}).get("RequestId")
        if not request_id:
            self.find(entry, "", "an error without a request id that botocore can read")

    def answer(self, entry, model, operation, headers, body, parsed):
        if not parsed.get("ResponseMetadata", {}).get("RequestId"):
            self.find(entry, "", "an answer without a request id that botocore can read")
        self.parsed(entry, operation.output_shape, {k: v for k, v in parsed.items() if k != "ResponseMetadata"}, "")
        protocol = model.metadata["protocol"]
        if protocol in ("json", "rest-json"):
            text = body.decode() or "{}"
            self.raw_json(entry, operation.output_shape, json.loads(text), "", protocol)
        elif body.strip():
            self.raw_xml(entry, operation, body, protocol)

    # What botocore made of the answer: required members and enums.
    def parsed(self, entry, shape, value, path):
        if shape.type_name == "structure":
            if not isinstance(value, dict):
                return self.find(entry, path, f"{shape.name} is not a structure")
            for name in shape.required_members:
                if value.get(name) is None:
                    self.find(entry, f"{path}.{name}", "a required member is missing")
            for name, inner in value.items():
                if (shape.name, name, value.get("ResourceType")) == ("StackEvent", "ResourceStatus", "AWS::CloudFormation::Stack"):
                    # A stack's own events tell its status, such as REVIEW_IN_PROGRESS; the model types them as a resource's.
                    stack = self.model("cloudformation").shape_for("StackStatus")
                    self.parsed(entry, shape.members[name] if inner in shape.members[name].enum else stack, inner, f"{path}.{name}")
                elif name in shape.members and inner is not None:
                    self.parsed(entry, shape.members[name], inner, f"{path}.{name}")
        elif shape.type_name == "list":
            for index, inner in enumerate(value):
                self.parsed(entry, shape.member, inner, f"{path}[{index}]")
        elif shape.type_name == "map":
            for inner in value.values():
                self.parsed(entry, shape.value, inner, f"{path}{{}}")
        elif shape.type_name == "string" and getattr(shape, "enum", None) and value not in shape.enum:
            self.find(entry, path, f"{value!r} is not in the enum {shape.name}", value)
        elif shape.type_name == "timestamp" and not isinstance(value, datetime.datetime):
            self.find(entry, path, f"{value!r} is not read as a time")

    # The answer as it was sent: unknown members and JSON types.
    def raw_json(self, entry, shape, value, path, protocol):
        kind = shape.type_name
        if value is None:
            return
        expected = {"structure": dict, "map": dict, "list": list, "string": str, "blob": str, "boolean": bool}
        numbers = {"integer": int, "long": int, "float": (int, float), "double": (int, float)}
        wanted = expected.get(kind) or numbers.get(kind)
        if wanted and (not isinstance(value, wanted) or (kind in numbers and isinstance(value, bool))):
            return self.find(entry, path, f"{kind} expected, {type(value).__name__} sent")
        if kind == "structure":
            names = {inner.serialization.get("name", name): inner for name, inner in shape.members.items()}
            for name, inner in value.items():
                if name not in names:
                    self.find(entry, f"{path}.{name}", "the model has no such member")
                else:
                    self.raw_json(entry, names[name], inner, f"{path}.{name}", protocol)
        elif kind == "list":
            for index, inner in enumerate(value):
                self.raw_json(entry, shape.member, inner, f"{path}[{index}]", protocol)
        elif kind == "map":
            for inner in value.values():
                self.raw_json(entry, shape.value, inner, f"{path}{{}}", protocol)
        elif kind == "timestamp":
            self.time(entry, shape, value, path, "unixTimestamp")

    def raw_xml(self, entry, operation, body, protocol):
        shape = operation.output_shape
        payload = shape.serialization.get("payload")
        if payload and shape.members[payload].type_name != "structure":
            return  # The body is a text of its own, such as a bucket's policy.
        root = ElementTree.fromstring(body)
        node = root
        if protocol == "query":
            wrapper = shape.serialization.get("resultWrapper")
            node = find_child(root, wrapper) if wrapper else root
            if node is None:
                return self.find(entry, "", f"the answer has no <{wrapper}>")
        if payload:
            shape = shape.members[payload]
        ignored = {"requestId", "ResponseMetadata"} if protocol != "rest-xml" else set()
        self.xml_structure(entry, shape, node, "", protocol, ignored)

    def xml_structure(self, entry, shape, node, path, protocol, ignored=frozenset()):
        names = {}
        for name, inner in shape.members.items():
            if inner.serialization.get("location") in ("header", "headers", "statusCode"):
                continue
            sent = xml_name(name, inner, protocol)
            if inner.type_name == "list" and inner.serialization.get("flattened"):
                sent = inner.member.serialization.get("name", sent) if protocol != "rest-xml" else sent
            names[sent] = inner
        # GetBucketLocation's whole body is its one member.
        if not list(node) and (node.text or "").strip():
            return
        for child in node:
            tag = local(child.tag)
            if tag in ignored:
                continue
            if tag not in names:
                self.find(entry, f"{path}.{tag}", "the model has no such member")
            else:
                self.xml_value(entry, names[tag], child, f"{path}.{tag}", protocol)

    def xml_value(self, entry, shape, node, path, protocol):
        kind = shape.type_name
        text = (node.text or "").strip()
        if kind == "structure":
            self.xml_structure(entry, shape, node, path, protocol)
        elif kind == "list":
            if shape.serialization.get("flattened"):
                return self.xml_value(entry, shape.member, node, path, protocol)
            item = shape.member.serialization.get("name", "member")
            for child in node:
                if local(child.tag) != item:
                    self.find(entry, path, f"list items are <{local(child.tag)}>, the model says <{item}>")
                else:
                    self.xml_value(entry, shape.member, child, f"{path}[]", protocol)
        elif kind == "timestamp":
            self.time(entry, shape, text, path, "iso8601")
        elif kind == "boolean" and text not in ("true", "false"):
            self.find(entry, path, f"{text!r} is not a boolean")
        elif kind in ("integer", "long") and not re.fullmatch(r"-?\d+", text):
            self.find(entry, path, f"{text!r} is not a whole number")

    def time(self, entry, shape, value, path, usual):
        style = shape.serialization.get("timestampFormat", usual)
        fits = {
            "unixTimestamp": isinstance(value, (int, float)) and not isinstance(value, bool),
            "iso8601": isinstance(value, str) and bool(ISO.match(value)),
            "rfc822": isinstance(value, str) and bool(HTTP_DATE.match(value)),
        }
        if not fits[style]:
            self.find(entry, path, f"{value!r} is not a time in the format {style}")


def raw_body(text):
    if text.startswith("base64:"):
        return base64.b64decode(text[len("base64:"):])
    return text.encode()


def headers_of(entry):
    headers = awscli.botocore.compat.HTTPHeaders()
    for name, value in entry["answer_headers"]:
        headers[name] = value
    # The front door sends the id with every answer, in the header that each protocol looks for.
    for name in ("x-amzn-requestid", "x-amz-request-id"):
        if name not in headers:
            headers[name] = entry["request_id"]
    return headers


def xml_name(name, shape, protocol):
    given = shape.serialization.get("name")
    return given or name


def local(tag):
    return tag.rsplit("}", 1)[-1]


def find_child(node, name):
    return next((child for child in node if local(child.tag) == name), None)


def main(paths):
    checker = Checker()
    for path in paths:
        with open(path, encoding="utf-8") as journal:
            for line in journal:
                if line.endswith("\n"):
                    checker.entry(json.loads(line))
    for (service, operation, path, problem), request_id in sorted(checker.findings.items()):
        print(f"{service} {operation}{path}: {problem} (request {request_id})")
    print(f"{len(checker.refused)} operations were called in ways that the sandbox refuses, which AWS never would", file=sys.stderr)
    print(f"{len(checker.operations)} operations, {checker.checked} answers checked, {len(checker.findings)} findings")
    return 1 if checker.findings or not checker.checked else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("which journal? validate.py JOURNAL.ndjson ...")
    sys.exit(main(sys.argv[1:]))
