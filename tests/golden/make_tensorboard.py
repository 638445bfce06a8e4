"""Event file of tests/golden/tensorboard.tfevents, made by TensorBoard itself (pip install tensorboard):
one scalar at step 0, one at step 300, and the picture that tests/experiments/tensorboard names.
Run from the project's root: python tests/golden/make_tensorboard.py"""
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.record_writer import RecordWriter

with open("tests/golden/tensorboard.png", "rb") as f:
    png = f.read()

events = [
    event_pb2.Event(wall_time=1.7e9, file_version="brain.Event:2"),
    event_pb2.Event(wall_time=1.7e9 + 0.25, step=0, summary=summary_pb2.Summary(
        value=[summary_pb2.Summary.Value(tag="cell/psnr_db", simple_value=30.5)])),
    event_pb2.Event(wall_time=1.7e9 + 0.5, step=300, summary=summary_pb2.Summary(
        value=[summary_pb2.Summary.Value(tag="zero", simple_value=0.0)])),
    event_pb2.Event(wall_time=1.7e9 + 0.5, step=0, summary=summary_pb2.Summary(
        value=[summary_pb2.Summary.Value(tag="picture", image=summary_pb2.Summary.Image(
            height=1, width=2, colorspace=3, encoded_image_string=png))])),
]
with open("tests/golden/tensorboard.tfevents", "wb") as f:
    writer = RecordWriter(f)
    for event in events:
        writer.write(event.SerializeToString())
