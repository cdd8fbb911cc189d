"""Calls the sandbox through the AWS CLI's own botocore: each operation first with a parameter that no service has, then as it is.

Must not know any operation; which are called, and with what, is in calls.py.
"""

import json
import os
import urllib.request

# Since 1.46 the AWS CLI carries its botocore inside itself.
import awscli.botocore.client
import awscli.botocore.config
import awscli.botocore.session

# The class that is raised; the module of exceptions exists twice.
ClientError = awscli.botocore.client.ClientError

STRANGE = "HprunNoSuchThing"
REFUSAL = "NotPartOfTheSandbox"
SERVICES = ["cloudformation", "ec2", "eks", "iam", "logs", "s3", "sagemaker", "service-quotas", "ssm", "sts"]


class Caller:
    def __init__(self):
        self.session = awscli.botocore.session.get_session()
        self.clients = {}
        self.called = set()
        self.problems = []
        self.strange = None

    def client(self, service, validate=True):
        if (service, validate) not in self.clients:
            # One attempt, so that the journal holds each call once; hosts stay as they are, because every service is at 127.0.0.1.
            config = awscli.botocore.config.Config(
                retries={"max_attempts": 0}, parameter_validation=validate, inject_host_prefix=False,
                read_timeout=20, connect_timeout=5, s3={"addressing_style": "path"},
            )
            client = self.session.create_client(service, region_name="us-west-2", config=config)
            client.meta.events.register(f"before-call.{service}", self.poison)
            self.clients[service, validate] = client
        return self.clients[service, validate]

    def call(self, service, operation, **parameters):
        """The answer to a call, which must be good; before that, the same call with something strange in it must be refused by name."""
        self.called.add((service, operation))
        # S3 says what it is asked in the query, in headers and in XML.
        for strange in ["query", "header", "element"] if service == "s3" else ["parameter"]:
            if strange != "element" or self.takes_xml(service, operation, parameters):
                self.refused_strange(service, operation, strange, parameters)
        return self.send(service, operation, parameters)

    def takes_xml(self, service, operation, parameters):
        """Whether this call sends an XML document."""
        shape = self.client(service).meta.service_model.operation_model(operation).input_shape
        payload = shape.serialization.get("payload") if shape else None
        return payload in parameters and shape.members[payload].type_name == "structure"

    def fails(self, code, service, operation, **parameters):
        """A call that must be refused with this code."""
        self.called.add((service, operation))
        try:
            self.send(service, operation, parameters)
            self.problems.append(f"{service} {operation} should have failed with {code}")
        except ClientError as error:
            if error.response["Error"]["Code"] != code:
                self.problems.append(f"{service} {operation} failed with {error}, not with {code}")

    def refused_strange(self, service, operation, strange, parameters):
        self.strange = strange
        try:
            self.send(service, operation, parameters)
            self.problems.append(f"{service} {operation}: an unknown {strange} was accepted")
        except ClientError as error:
            # The body of an answer to HEAD cannot be sent, so nothing can be named there.
            named = STRANGE.lower() in str(error).lower() or operation.startswith("Head")
            if not named:
                self.problems.append(f"{service} {operation}: an unknown {strange} was not named: {error}")
        finally:
            self.strange = None

    def send(self, service, operation, parameters, validate=True):
        # botocore changes what it is given.
        parameters = {name: value() if callable(value) else value for name, value in parameters.items()}
        return self.client(service, validate)._make_api_call(operation, parameters)

    def poison(self, model, params, **_):
        """Puts what no service knows into a request that is about to be signed."""
        if self.strange is None:
            return
        protocol = model.service_model.metadata["protocol"]
        if self.strange == "element":
            before, slash, last = params["body"].decode().rpartition("</")
            params["body"] = f"{before}<{STRANGE}>1</{STRANGE}>{slash}{last}".encode()
        elif self.strange == "header":
            params["headers"][f"x-amz-{STRANGE}"] = "1"
        elif protocol in ("query", "ec2"):
            params["body"][STRANGE] = "1"
        elif protocol == "json" or (protocol == "rest-json" and params["body"]):
            params["body"] = json.dumps({**json.loads(params["body"]), STRANGE: "1"}).encode()
        else:
            params["url"] += ("&" if "?" in params["url"] else "?") + f"{STRANGE}=1"


def advance(by):
    """Moves sandbox time on."""
    url = os.environ["AWS_ENDPOINT_URL"] + "/_sandbox/clock/advance"
    request = urllib.request.Request(url, json.dumps({"by": by}).encode())
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert answer.status == 200


def probe(caller):
    """Calls every operation of every service's model that calls.py does not: each must be refused by name. Gives their number."""
    count = 0
    for service in SERVICES:
        client = caller.client(service, validate=False)
        for operation in client.meta.service_model.operation_names:
            if (service, operation) in caller.called:
                continue
            model = client.meta.service_model.operation_model(operation)
            if model.auth_type == "none":
                continue  # Sent unsigned, so nothing says which service is meant; the sandbox refuses whoever has no credentials.
            count += 1
            parameters = dummy(model.input_shape, 0) if model.input_shape else {}
            try:
                caller.send(service, operation, parameters, validate=False)
                caller.problems.append(f"{service} {operation} is part of the sandbox, but calls.py does not call it")
            except ClientError as error:
                code = error.response["Error"]["Code"]
                # REST calls carry no operation's name: the refusal names method and path. The body of an answer to HEAD is not sent.
                # S3's calls for directory buckets and object lambdas are signed for other services, so the refusal is not in S3's form.
                named = operation in error.response["Error"].get("Message", "") or service in ("s3", "eks")
                formless = service == "s3" and (operation.startswith("Head") or code.isdigit())
                if not formless and not (code == REFUSAL and named):
                    caller.problems.append(f"{service} {operation} is not called by calls.py, but answers {error}")
            except Exception as error:  # a request that botocore could not write was no probe
                caller.problems.append(f"{service} {operation} could not be sent: {error!r}")
    return count


def dummy(shape, depth):
    """A value of a shape, with required members only."""
    kind = shape.type_name
    if kind == "structure":
        return {name: dummy(shape.members[name], depth + 1) for name in shape.required_members}
    if kind == "list":
        return [dummy(shape.member, depth + 1)]
    if kind == "string":
        return shape.enum[0] if getattr(shape, "enum", None) else "x" * max(shape.metadata.get("min", 1), 3)
    if kind in ("integer", "long", "float", "double"):
        return shape.metadata.get("min", 1)
    return {"map": {}, "boolean": False, "blob": b"x", "timestamp": 1_800_000_000}[kind]
