"""Training of the detector."""
import torch

RATE = 1e-3


def step(model, batch, optimizer):
    """One step; returns the loss."""
    optimizer.zero_grad()
    loss = model(batch["x"]).sum()
    if torch.isnan(loss):
        return None
    loss.backward()
    optimizer.step()
    return loss.item()


def train(model, batches, optimizer):
    for batch in batches:
        loss = step(model, batch, optimizer)
        if loss is None:
            break
