# `exam.py DIR KIND BATCH SIZE…` asks a submission about the records on standard input, which are of that shape
# and of kind uint8 or int16 (sound, 32768 is full scale). Prints `p <probability of class synthetic> <call>` a
# record, the call being 1 where the competition calls it synthetic; or `missing <library>`.


def main():
    try:
        torch, numpy = libraries()
    except ImportError as error:
        sys.exit(f"missing {error.name or error}")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = load(torch, sys.argv[1], device)
    kind, batch, shape = sys.argv[2], int(sys.argv[3]), [int(size) for size in sys.argv[4:]]
    record_bytes = int(numpy.prod(shape)) * numpy.dtype(kind).itemsize
    while chunk := sys.stdin.buffer.read(record_bytes * batch):
        records = numpy.frombuffer(bytearray(chunk), dtype=kind).reshape([-1, *shape])
        if kind == "int16":
            records = records.astype("float32") / 32768.0
        with torch.no_grad():
            answers = logits(model(torch.from_numpy(records).to(device)))
        for probability, call in zip(probabilities(torch, answers).tolist(), calls(torch, answers).tolist()):
            print(f"p {probability!r} {int(call)}", flush=True)


def probabilities(torch, answers):
    """Of class synthetic: one logit is its own; of more, all but the first class are synthetic."""
    if answers.shape[1] == 1:
        return torch.sigmoid(answers.double())[:, 0]
    return 1.0 - torch.softmax(answers.double(), -1)[:, 0]


def calls(torch, answers):
    """Synthetic where the largest share is not that of the first class, in single precision: a tie is real."""
    if answers.shape[1] == 1:
        return torch.sigmoid(answers)[:, 0] > 0.5
    return torch.softmax(answers, -1).argmax(-1) > 0


if __name__ == "__main__":
    main()
