"""Stands in for the tools in a TIPC file: ``stub.py train|eval|export|predict [die|nothing] -o key=value ...``.

Every call is a line of calls.jsonl beside the file that TIPC_STUB_CALLS names. ``die`` kills itself as an out-of-memory
killer would, ``nothing`` does not do its work.
"""
import json
import os
import pathlib
import signal
import sys

arguments = sys.argv[1:]
step, manner = arguments[0], arguments[1]
options = dict(value.split("=", 1) for flag, value in zip(arguments, arguments[1:]) if flag == "-o")
rank = int(os.environ.get("PADDLE_TRAINER_ID", 0))
with open(os.environ["TIPC_STUB_CALLS"], "a") as file:
    file.write(json.dumps({"step": step, "rank": rank, "cwd": os.path.basename(os.getcwd()), **options}) + "\n")
print(f"this is {step}", flush=True)
if manner == "die" and rank == int(os.environ.get("PADDLE_TRAINERS_NUM", 1)) - 1:
    print("last words", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
if step == "train":
    print("[Train][Epoch 1/1][Iter: 0/2]lr: 0.1, loss: 1.5, batch_cost: 0.50000s, reader_cost: 0.01000, "
          "ips: 32.00000 samples/s, eta: 0:00:00")
    weights = pathlib.Path(options["Global.output_dir"], "ISEModel", "latest.pdparams")
    if manner != "nothing" and rank == 0:
        weights.parent.mkdir(parents=True)
        weights.touch()
else:
    needed = options.get("Global.pretrained_model", "") + ".pdparams"
    if step == "predict":
        needed = os.path.join(options["Global.rec_inference_model_dir"], "inference.pdiparams")
    if not os.path.isfile(needed):
        sys.exit(f"there is no {needed}")
    if step == "export":
        pathlib.Path(options["Global.save_inference_dir"], "inference.pdiparams").touch()
    if step == "predict":
        print("a.jpg:\t[0.6 0.8]")
