"""Says what botocore finds: questions in JSON on standard input, answers on
standard output. HOME is everybody's, other variables are each question's."""

import configparser
import getpass
import json
import os
import sys

getpass.getpass = lambda prompt: "123456"  # before botocore keeps it

import botocore
import botocore.configloader
import botocore.loaders
import botocore.session

questions = json.load(sys.stdin)
loader = botocore.loaders.create_loader()  # what it has read is kept for all


def ask(question):
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(question["env"])
    session = botocore.session.Session(profile=question["profile"] or None)
    session.register_component("data_loader", loader)
    session.full_config  # malformed files are an error for all that follows
    session.get_scoped_config()
    answer = {"region": session.get_config_variable("region") or ""}
    for service in question.get("services") or []:
        client = session.create_client(
            service, region_name=question["region"] or None,
            aws_access_key_id="k", aws_secret_access_key="s")
        answer.setdefault("endpoints", {})[service] = [
            client.meta.endpoint_url, client._client_config.region_name]
    if question.get("services"):
        return answer
    credentials = session.get_credentials()
    if credentials is None:
        raise RuntimeError("none")
    frozen = credentials.get_frozen_credentials()
    answer["credentials"] = [frozen.access_key, frozen.secret_key, frozen.token or ""]
    return answer


def parse(path):
    """Reads a file, and takes the later of what is said twice."""
    strict = configparser.RawConfigParser
    configparser.RawConfigParser = lambda: strict(strict=False)
    try:
        return {"ini": botocore.configloader.raw_config_parse(path)}
    finally:
        configparser.RawConfigParser = strict


def main():
    answers = []
    for question in questions:
        try:
            answers.append(parse(question["ini"]) if question.get("ini") else ask(question))
        except Exception as e:
            answers.append({"error": type(e).__name__ + ": " + str(e)})
    json.dump({"version": botocore.__version__, "answers": answers}, sys.stdout)


main()
