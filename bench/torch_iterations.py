"""The workloads of bench_iterations.c with PyTorch and torchdiffeq, from the same weights and batch.

    python3 bench/torch_iterations.py FOLDER THREADS OUT.json

FOLDER contains W1.safetensors and so on, which bench_iterations writes. OUT.json gets medians over three seconds per workload.
W1 is measured twice: with the field as its equations stand and derivatives by autograd, as in the paper's code, and rewritten
such that each network is evaluated once.
"""

import json
import math
import pathlib
import statistics
import sys
import time

import torch
from torch import nn
from torchdiffeq import odeint_adjoint

DTYPES = {"F32": torch.float32, "F64": torch.float64, "U64": torch.int64}


def load(path):
    """The safetensors format: a length, a JSON header, the data."""
    raw = path.read_bytes()
    n = int.from_bytes(raw[:8], "little")
    tensors = {}
    for name, t in json.loads(raw[8 : 8 + n]).items():
        if name == "__metadata__":
            continue
        begin, end = t["data_offsets"]
        data = torch.frombuffer(bytearray(raw[8 + n + begin : 8 + n + end]), dtype=DTYPES[t["dtype"]])
        tensors[name] = data.reshape(t["shape"]).clone()
    return tensors


class ConcatTime(nn.Module):
    """A placeholder: Field appends the time as a channel."""


class Cube(nn.Module):
    def forward(self, x):
        return x**3


class Field(nn.Sequential):
    """A vector field f(t, x) made of layers. It counts its evaluations."""

    nfe = 0

    def forward(self, t, x):
        self.nfe += 1
        for layer in self:
            if isinstance(layer, ConcatTime):
                x = torch.cat([torch.ones_like(x[:, :1]) * t, x], 1)
            else:
                x = layer(t, x) if isinstance(layer, Squash) else layer(x)
        return x


class Ode(nn.Module):
    """An ODE block under the seminorm. `every`: it returns the state at all times instead of the last."""

    def __init__(self, field, t, rtol, atol, every):
        super().__init__()
        self.field, self.t, self.rtol, self.atol, self.every = field, t, rtol, atol, every

    def forward(self, x):
        y = odeint_adjoint(self.field, x, self.t, rtol=self.rtol, atol=self.atol, adjoint_options={"norm": seminorm})
        return y.transpose(0, 1) if self.every else y[-1]


def seminorm(state):
    """The paper's norm: the larger RMS of z and a_z. state = (a_t, z, a_z, a_theta ...)."""
    return max(x.pow(2).mean().sqrt() for x in state[1:3])


class Cde(nn.Module):
    """z' = F(z) X'(t). X is linear between rows at t = 0, 1, ...; X' jumps at each of them."""

    def __init__(self, hidden, channels, field):
        super().__init__()
        self.initial, self.field, self.shape = nn.Linear(channels, hidden), field, (-1, hidden, channels)

    def forward(self, x):
        slopes, times = x[:, 1:] - x[:, :-1], torch.arange(float(x.shape[1]))

        class Along(nn.Module):
            def __init__(self, outer):
                super().__init__()
                self.field, self.shape = outer.field, outer.shape

            def forward(self, t, z):
                piece = (torch.bucketize(t.detach(), times) - 1).clamp(0, len(times) - 2)
                return torch.bmm(self.field(t, z).view(self.shape), slopes[:, piece].unsqueeze(-1)).squeeze(-1)

        jumps = {"jump_t": times[1:-1]}
        return odeint_adjoint(Along(self), self.initial(x[:, 0]), times[[0, -1]], rtol=1e-3, atol=1e-6, options=jumps,
                              adjoint_options={"norm": seminorm, **jumps})[-1]


def w2():
    widths = [90, 40, 40, 40, 40]
    layers = [layer for a, b in zip(widths, widths[1:]) for layer in (nn.Linear(a, b), nn.ReLU())]
    field = Field(*layers, nn.Linear(40, 1890), nn.Tanh())
    return nn.Sequential(Cde(90, 21, field), nn.Linear(90, 10)), field


class Squash(nn.Module):
    """FFJORD's gated layer: (W x + b) sigmoid(g(t)) + h(t)."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.layer, self.hyper_bias = nn.Linear(inputs, outputs), nn.Linear(1, outputs, bias=False)
        self.hyper_gate = nn.Linear(1, outputs)

    def forward(self, t, x):
        t = t.view(1, 1)
        return self.layer(x) * torch.sigmoid(self.hyper_gate(t)) + self.hyper_bias(t)


class Flow(nn.Module):
    """One block of FFJORD: the log-density is part of the state, and one VJP with noise estimates the divergence."""

    def __init__(self, field):
        super().__init__()
        self.field, self.noise = field, None

    def forward(self, x):
        field, noise = self.field, self.noise

        class Along(nn.Module):
            def __init__(self):
                super().__init__()
                self.field = field

            def forward(self, t, state):
                with torch.enable_grad():
                    z = state[0] if state[0].requires_grad else state[0].detach().requires_grad_(True)
                    f = field(t.detach().to(z.dtype), z)
                    slope = torch.autograd.grad(f, z, noise, create_graph=True)[0]
                    return f, -(slope * noise).flatten(1).sum(1, keepdim=True)

        z, logp = odeint_adjoint(Along(), (x, torch.zeros(len(x), 1)), torch.tensor([0.0, 1.0]), rtol=1e-5, atol=1e-5,
                                 method="dopri5", adjoint_options={"norm": flow_seminorm})
        base = -0.5 * (z[-1] ** 2 + math.log(2 * math.pi)).flatten(1).sum(1)
        return base - logp[-1][:, 0]


def flow_seminorm(state):
    """The largest RMS of z, log p and their adjoints. state = (a_t, z, log p, a_z, a_log p, a_theta ...)."""
    return max(x.pow(2).mean().sqrt() for x in state[1:5])


def w4a():
    sizes = [2, 64, 64, 64, 2]
    layers = [layer for a, b in zip(sizes, sizes[1:]) for layer in (Squash(a, b), nn.Tanh())]
    field = Field(*layers[:-1])
    return Flow(field), field


def w4b():
    sizes = [1, 64, 64, 64, 1]
    layers = [layer for a, b in zip(sizes, sizes[1:])
              for layer in (ConcatTime(), nn.Conv2d(a + 1, b, 3, 1, 1), nn.Softplus())]
    field = Field(*layers[:-1])
    return Flow(field), field


def norm():
    return nn.GroupNorm(32, 64)


def mlp(*sizes):
    layers = [layer for a, b in zip(sizes, sizes[1:]) for layer in (nn.Linear(a, b), nn.Softplus())]
    return nn.Sequential(*layers[:-1])


def lower(entries):
    """(N, 3) -> lower triangular L (N, 2, 2). An entry has the diagonal first, then the element below it."""
    zero = torch.zeros_like(entries[:, :1])
    return torch.cat([entries[:, :1], zero, entries[:, 2:], entries[:, 1:2]], 1).view(-1, 2, 2)


def inverse_mass(entries):
    """M^-1 = L L^T + 0.1 I."""
    l = lower(entries)
    return l @ l.transpose(1, 2) + 0.1 * torch.eye(2)


class Symoden(nn.Module):
    """SymODEN on rows (cos q, sin q, q', u) of the double pendulum, with derivatives by autograd."""

    def __init__(self):
        super().__init__()
        self.nfe = 0
        self.mass, self.potential, self.input = mlp(4, 400, 400, 400, 3), mlp(4, 300, 300, 1), mlp(4, 300, 300, 4)

    def accelerate(self, c, rate, u, cdot):
        minv = inverse_mass(self.mass(c))
        p = torch.linalg.solve(minv, rate)
        state = torch.cat([c, p], 1)
        c, p = state[:, :4], state[:, 4:]
        minv = inverse_mass(self.mass(c))
        energy = 0.5 * (p * (minv @ p.unsqueeze(2)).squeeze(2)).sum() + self.potential(c).sum()
        slope = torch.autograd.grad(energy, state, create_graph=True)[0]
        rows = [torch.autograd.grad(minv[:, i, j].sum(), c, create_graph=True)[0] for i in (0, 1) for j in (0, 1)]
        minv_dot = torch.stack([(row * cdot).sum(1) for row in rows], 1).view(-1, 2, 2)
        return self.join(c, p, u, slope[:, :4], minv, minv_dot)

    def join(self, c, p, u, slope, minv, minv_dot):
        force = (self.input(c).view(-1, 2, 2) @ u.unsqueeze(2)).squeeze(2)
        dp = c[:, 2:] * slope[:, :2] - c[:, :2] * slope[:, 2:] + force
        return (minv @ dp.unsqueeze(2) + minv_dot @ p.unsqueeze(2)).squeeze(2)

    def forward(self, t, x):
        self.nfe += 1
        with torch.enable_grad():
            if not x.requires_grad:
                x = x.detach().requires_grad_(True)
            c, rate, u = x[:, :4], x[:, 4:6], x[:, 6:]
            cdot = torch.cat([-c[:, 2:] * rate, c[:, :2] * rate], 1)
            return torch.cat([cdot, self.accelerate(c, rate, u, cdot), torch.zeros_like(u)], 1)


class LeanSymoden(Symoden):
    """The same field with forward derivatives of the mass network, such that each network is evaluated once."""

    def accelerate(self, c, rate, u, cdot):
        entries, along = c, cdot
        for layer in self.mass:
            along = along @ layer.weight.T if isinstance(layer, nn.Linear) else torch.sigmoid(entries) * along
            entries = layer(entries)
        l, ldot = lower(entries), lower(along)
        minv = l @ l.transpose(1, 2) + 0.1 * torch.eye(2)
        p = torch.linalg.solve(minv, rate)
        ltp = (l.transpose(1, 2) @ p.unsqueeze(2)).squeeze(2)
        # p^T M^-1 p / 2 at fixed p has the derivative p (L^T p)^T in L.
        g_entries = torch.stack([p[:, 0] * ltp[:, 0], p[:, 1] * ltp[:, 1], p[:, 1] * ltp[:, 0]], 1)
        slope = torch.autograd.grad([entries, self.potential(c).sum()], c, [g_entries, torch.ones(())], create_graph=True)[0]
        half = ldot @ l.transpose(1, 2)
        return self.join(c, p, u, slope, minv, half + half.transpose(1, 2))


def w1(field):
    return Ode(field, 0.05 * torch.arange(8), 1e-4, 1e-4, True), field


def w3():
    field = Field(norm(), nn.ReLU(), ConcatTime(), nn.Conv2d(65, 64, 3, 1, 1), norm(), nn.ReLU(), ConcatTime(),
                  nn.Conv2d(65, 64, 3, 1, 1), norm())
    model = nn.Sequential(nn.Conv2d(1, 64, 3, 1), norm(), nn.ReLU(), nn.Conv2d(64, 64, 4, 2, 1), norm(), nn.ReLU(),
                          nn.Conv2d(64, 64, 4, 2, 1), Ode(field, torch.tensor([0.0, 1.0]), 1e-3, 1e-3, False), norm(),
                          nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    return model, field


def w5():
    field = Field(Cube(), nn.Linear(2, 50), nn.Tanh(), nn.Linear(50, 2))
    t = torch.tensor([0, 0.025025, 0.05005, 0.075075, 0.1001, 0.125125, 0.15015, 0.175175, 0.2002, 0.225225])
    return Ode(field, t, 1e-7, 1e-9, True), field


def measure(name, build, tensors):
    """Repeat one training step for three seconds, always from the same weights. Returns a row of OUT.json."""
    model, field = build()
    state = {k: v for k, v in tensors.items() if not k.startswith("batch.")}
    if name == "W3":  # nn.Flatten moves the linear layer up by one here
        state = {k.replace("11.", "12.") if k.startswith("11.") else k: v for k, v in state.items()}
    if name in ("W4a", "W4b"):
        model.noise = tensors["batch.noise"]
        state = {k.removeprefix("0."): v for k, v in state.items()}
    state = {k.replace("ode.field.network.", "field."): v for k, v in state.items()}
    model.load_state_dict(state)
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)
    x = tensors["batch.x"]
    times, record = [], {}
    end = time.perf_counter() + 3
    while len(times) < 7 or time.perf_counter() < end:
        optimizer.zero_grad()
        field.nfe = 0
        t0 = time.perf_counter()
        if name in ("W2", "W2L", "W3"):
            loss = nn.functional.cross_entropy(model(x), tensors["batch.labels"])
        elif name in ("W4a", "W4b"):
            loss = -model(x).mean()
        elif name == "W5":
            loss = (model(x) - tensors["batch.y"]).abs().mean()
        else:
            loss = (model(x) - tensors["batch.y"]).square().mean()
        t1 = time.perf_counter()
        forward_nfe, field.nfe = field.nfe, 0
        loss.backward()
        t2 = time.perf_counter()
        gradient = torch.cat([p.grad.reshape(-1) for p in model.parameters()]).norm().item()
        optimizer.step()
        times.append((t1 - t0, t2 - t1, time.perf_counter() - t0))
        record = {"forward_nfe": forward_nfe, "backward_nfe": field.nfe, "loss": loss.item(), "gradient": gradient}
        model.load_state_dict(state)
    median = [1e3 * statistics.median(t[i] for t in times[2:]) for i in range(3)]
    return {"name": name, "forward_ms": median[0], "backward_ms": median[1], "iteration_ms": median[2], **record}


def main():
    folder, threads, out = pathlib.Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    torch.set_num_threads(threads)
    builders = (("W1", lambda: w1(Symoden())), ("W1 lean", lambda: w1(LeanSymoden())), ("W2", w2),
                ("W2L", w2), ("W3", w3), ("W4a", w4a), ("W4b", w4b), ("W5", w5))
    rows = [measure(name, build, load(folder / f"{name.split()[0]}.safetensors")) for name, build in builders
            if (folder / f"{name.split()[0]}.safetensors").exists()]
    pathlib.Path(out).write_text(json.dumps(rows, indent=1))


main()
