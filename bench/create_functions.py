#!/usr/bin/env python3
"""Creates functions in an engine that is running, by boto3, and waits until each is active.

  create_functions.py ENDPOINT NAME=BOOTSTRAP[,FILE...] ...
"""
import io, os, sys, zipfile

import boto3


def package(files):
    """A zip with the first file as bootstrap."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as zip:
        for index, path in enumerate(files):
            info = zipfile.ZipInfo("bootstrap" if index == 0 else os.path.basename(path))
            info.external_attr = (0o100755 if index == 0 else 0o100644) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            with open(path, "rb") as file:
                zip.writestr(info, file.read())
    return out.getvalue()


def main():
    endpoint, wanted = sys.argv[1], [argument.split("=", 1) for argument in sys.argv[2:]]
    client = boto3.client(
        "lambda", endpoint_url=endpoint, region_name="us-east-1",
        aws_access_key_id="test", aws_secret_access_key="test",
    )
    for name, files in wanted:
        client.create_function(
            FunctionName=name, Runtime="provided.al2023", Handler="app.handler", MemorySize=1769, Timeout=30,
            Role="arn:aws:iam::000000000000:role/bench", Code={"ZipFile": package(files.split(","))},
        )
        client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})


if __name__ == "__main__":
    main()
