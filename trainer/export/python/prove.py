# `prove.py DIR ANSWERS [DIR ANSWERS]…` compares submissions' answers with `logits.<n>` of `input.<n>` in a file;
# where there is no `logits.<n>`, an answer that is one number or more for each record is all that is asked.
# Prints one line of JSON for each: `differences`, the largest one by number of records; or `error`; or `missing`,
# a library.


def main():
    try:
        torch, _ = libraries()
    except ImportError as error:
        return [{"missing": error.name or str(error)}]
    torch.set_num_threads(2)
    return [compared(torch, *pair) for pair in zip(sys.argv[1::2], sys.argv[2::2])]


def compared(torch, folder, answers):
    from safetensors.torch import load_file
    try:
        model = load(torch, folder, "cpu")
        tensors = load_file(answers)
        counts = sorted(int(name.split(".")[1]) for name in tensors if name.startswith("input."))
        return {"torch": torch.__version__,
                "differences": {n: difference(torch, model, tensors, n) for n in counts}}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def difference(torch, model, tensors, count):
    with torch.no_grad():
        found = logits(model(tensors[f"input.{count}"]))
    wanted = tensors.get(f"logits.{count}", found)
    if len(found) != count or found.shape != wanted.shape:
        raise ValueError(f"the answer for {count} records has shape {tuple(found.shape)}, not "
                         f"{(count, *wanted.shape[1:])}")
    largest = float((found - wanted).abs().max())
    if largest != largest:
        raise ValueError(f"the answer for {count} records is not a number")
    return largest


if __name__ == "__main__":
    for line in main():
        print(json.dumps(line))
