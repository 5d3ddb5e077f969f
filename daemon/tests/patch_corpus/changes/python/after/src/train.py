"""Training of the detector."""
import torch

RATE = 1e-3


def step(model, batch, optimizer):
    """One step; returns the loss."""
    optimizer.zero_grad()
    loss = model(batch["x"]).sum()
    if not torch.isfinite(loss):
        return None
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


def train(model, batches, optimizer):
    for batch in batches:
        loss = step(model, batch, optimizer)
        if loss is None:
            break
