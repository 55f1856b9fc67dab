"""{{name}} is a Lambda function."""


def handler(event, context):
    name = event.get("name") or "world"
    print("greeting", name)  # goes to the function's log
    return {"greeting": f"hello {name}"}
