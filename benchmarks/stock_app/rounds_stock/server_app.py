"""The hub's half, as a stock ServerApp: send the weights, sum what comes back, take a step."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
from flwr.app import ArrayRecord, Context, Message, RecordDict
from flwr.serverapp import Grid, ServerApp

LEARNING_RATE = 1.0
PERSONS = 400.0

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    weights = np.zeros(int(context.run_config["features"]) + 1)
    while len(nodes := list(grid.get_node_ids())) < int(context.run_config["nodes"]):
        time.sleep(0.1)
    seconds = []
    for _ in range(int(context.run_config["rounds"])):
        began = time.monotonic()
        messages = [
            Message(RecordDict({"weights": ArrayRecord([weights])}), dst_node_id=node, message_type="train")
            for node in nodes
        ]
        replies = list(grid.send_and_receive(messages))
        total = np.sum([reply.content["gradient"].to_numpy_ndarrays()[0] for reply in replies], axis=0)
        weights = weights - LEARNING_RATE * total / PERSONS
        seconds.append(time.monotonic() - began)
    draft = Path(str(context.run_config["report"]) + ".new")
    draft.write_text(json.dumps(seconds), encoding="ascii")
    draft.replace(str(context.run_config["report"]))
