"""Records what PyTorch makes of sequences: python make.py > records.json, with PyTorch at hand, in float64.

A layer has the results for x, with initial states where the case has them, and the gradients of
sum(y * gy) + sum(h * gh) + sum(c * gc) for x, the states and all weights. A program has the losses of some steps. All numbers
are filled by formulas that the tests repeat.
"""

import json

import torch
import torch.nn.functional as F
from torch import nn

TURNS, ROWS, WIDTH, HIDDEN = 5, 2, 3, 4


def filled(shape, number, scale):
    count = torch.Size(shape).numel()
    return torch.tensor([(i * (29 + 2 * number) % 43 - 21) / scale for i in range(count)], dtype=torch.float64).reshape(shape)


def leaf(shape, number, scale=32):
    return filled(shape, number, scale).requires_grad_()


def layer(module, shape, states):
    module = module.double()
    number = 0
    leaves = {"x": leaf(shape, number)}
    for name, state in states.items():
        number += 1
        leaves[name] = leaf(state, number)
    for key, parameter in module.named_parameters():
        number += 1
        with torch.no_grad():
            parameter.copy_(filled(parameter.shape, number, 32))
        leaves[key] = parameter
    given = tuple(leaves[name] for name in states)
    is_lstm = isinstance(module, nn.LSTM)
    y, last = module(leaves["x"], *([given if is_lstm else given[0]] if given else []))
    results = {"y": y, **(dict(zip("hc", last)) if is_lstm else {"h": last})}
    loss = sum((value * filled(value.shape, 40 + i, 16)).sum() for i, value in enumerate(results.values()))
    gradients = torch.autograd.grad(loss, list(leaves.values()))
    flat = lambda tensors: {name: tensor.flatten().tolist() for name, tensor in tensors}
    return {"results": flat(results.items()), "gradients": flat(zip(leaves, gradients))}


def layers():
    sequence, first = (TURNS, ROWS, WIDTH), (ROWS, TURNS, WIDTH)
    one, four = (1, ROWS, HIDDEN), (4, ROWS, HIDDEN)
    return {
        "rnn": layer(nn.RNN(WIDTH, HIDDEN), sequence, {"h0": one}),
        "rnn_relu": layer(nn.RNN(WIDTH, HIDDEN, 2, nonlinearity="relu", batch_first=True, bidirectional=True), first, {}),
        "gru": layer(nn.GRU(WIDTH, HIDDEN), sequence, {}),
        "gru_layers": layer(nn.GRU(WIDTH, HIDDEN, 2, batch_first=True, bidirectional=True), first, {"h0": four}),
        "gru_without_bias": layer(nn.GRU(WIDTH, HIDDEN, bias=False), sequence, {"h0": one}),
        "lstm": layer(nn.LSTM(WIDTH, HIDDEN), sequence, {}),
        "lstm_layers": layer(nn.LSTM(WIDTH, HIDDEN, 2, bidirectional=True, batch_first=True), first, {"h0": four, "c0": four}),
        "lstm_projected": layer(
            nn.LSTM(WIDTH, HIDDEN, 2, bias=False, proj_size=3), sequence, {"h0": (2, ROWS, 3), "c0": (2, ROWS, HIDDEN)}
        ),
    }


def fill(module):
    for number, parameter in enumerate(module.parameters()):
        with torch.no_grad():
            parameter.copy_(filled(parameter.shape, number, 256))


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(1000, 64, padding_idx=0)
        self.lstm = nn.LSTM(64, 128, num_layers=2, batch_first=True, dropout=0.2, bidirectional=True)
        self.head = nn.Linear(256, 4)

    def forward(self, ids):
        _, (h, _) = self.lstm(self.embed(ids))
        return self.head(torch.cat([h[2], h[3]], 1))


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(1000, 32)
        self.lstm = nn.LSTM(32, 64, batch_first=True)
        self.head = nn.Linear(64, 9)

    def forward(self, ids, state):
        y, state = self.lstm(self.embed(ids), state)
        return self.head(y), state


def classifier():
    """Dropout is off, as in a step that is told to evaluate."""
    net = Classifier().double().eval()
    fill(net)
    ids = torch.tensor([1 + i * 17 % 999 for i in range(8 * 20)]).reshape(8, 20)
    labels = torch.tensor([i % 4 for i in range(8)])
    probabilities = F.softmax(net(ids[:1, :7]), 1).flatten().tolist()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    losses = []
    for _ in range(8):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(ids), labels)
        loss.backward()
        nn.utils.clip_grad_value_(net.parameters(), 0.5)
        optimizer.step()
        losses.append(loss.item())
    return {"probabilities": probabilities, "losses": losses}


def tagger():
    net = Tagger().double()
    fill(net)
    ids = torch.tensor([1 + i * 17 % 999 for i in range(80)]).reshape(8, 10)
    tags = torch.tensor([i % 9 for i in range(80)])
    state = (torch.zeros(1, 8, 64, dtype=torch.float64),) * 2
    optimizer = torch.optim.RMSprop(net.parameters(), lr=1e-3, alpha=0.95)
    losses = []
    for _ in range(8):
        optimizer.zero_grad()
        logits, state = net(ids, tuple(part.detach() for part in state))
        loss = F.cross_entropy(logits.flatten(0, 1), tags)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return {"losses": losses, "h": state[0][0, 0, :8].tolist(), "c": state[1][0, 7, :8].tolist()}


print(json.dumps({"layers": layers(), "classifier": classifier(), "tagger": tagger()}))
