#!/usr/bin/python3
"""Asks containerd over CRI, as crictl does, with the messages of src/kube/cri/cri.proto.

cri.py runp HANDLER POD.json | create SANDBOX CONTAINER.json POD.json | start CONTAINER | exec CONTAINER COMMAND… | pods | rmp SANDBOX…
"""
import json
import sys

import cri_pb2
import grpc
from google.protobuf import json_format

SOCKET = "unix:///run/containerd/containerd.sock"
PATIENCE = 120  # seconds


def call(channel, name, **fields):
    request = getattr(cri_pb2, name + "Request")(**fields)
    ask = channel.unary_unary(
        "/runtime.v1.RuntimeService/" + name,
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=getattr(cri_pb2, name + "Response").FromString,
    )
    return ask(request, timeout=PATIENCE)


def message(kind, path):
    with open(path) as file:
        return json_format.ParseDict(json.load(file), kind())


def main(verb, *words):
    with grpc.insecure_channel(SOCKET) as channel:
        if verb == "runp":
            config = message(cri_pb2.PodSandboxConfig, words[1])
            print(call(channel, "RunPodSandbox", config=config, runtime_handler=words[0]).pod_sandbox_id)
        elif verb == "create":
            print(
                call(
                    channel,
                    "CreateContainer",
                    pod_sandbox_id=words[0],
                    config=message(cri_pb2.ContainerConfig, words[1]),
                    sandbox_config=message(cri_pb2.PodSandboxConfig, words[2]),
                ).container_id
            )
        elif verb == "start":
            call(channel, "StartContainer", container_id=words[0])
        elif verb == "exec":
            answer = call(channel, "ExecSync", container_id=words[0], cmd=words[1:], timeout=PATIENCE)
            sys.stdout.buffer.write(answer.stdout)
            sys.stderr.buffer.write(answer.stderr)
            return answer.exit_code
        elif verb == "pods":
            for pod in call(channel, "ListPodSandbox").items:
                print(pod.id)
        elif verb == "rmp":
            for pod in words:
                call(channel, "StopPodSandbox", pod_sandbox_id=pod)
                call(channel, "RemovePodSandbox", pod_sandbox_id=pod)
        else:
            sys.exit(__doc__)
    return 0


try:
    sys.exit(main(*sys.argv[1:]))
except grpc.RpcError as error:
    sys.exit(f"{error.code().name}: {error.details()}")
