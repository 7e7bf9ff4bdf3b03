"""Reference of one-step: never released, never beside a submission."""


def d_step(D, G, opt_D, real, z):
    from torch.nn.functional import softplus

    fake = G(z).detach()
    loss = softplus(-D(real)).mean() + softplus(D(fake)).mean()
    opt_D.zero_grad()
    loss.backward()
    opt_D.step()
    return loss.detach()


def g_step(D, G, opt_G, z):
    from torch.nn.functional import softplus

    loss = softplus(-D(G(z))).mean()
    opt_G.zero_grad()
    loss.backward()
    opt_G.step()
    return loss.detach()


def d_step_leaky(D, G, opt_D, real, z):
    from torch.nn.functional import softplus

    fake = G(z)
    loss = softplus(-D(real)).mean() + softplus(D(fake)).mean()
    opt_D.zero_grad()
    loss.backward()
    opt_D.step()
    return loss.detach()


def g_step_leaky(D, G, opt_G, z):
    from torch.nn.functional import softplus

    loss = softplus(-D(G(z))).mean()
    loss.backward()
    opt_G.step()
    opt_G.zero_grad()
    return loss.detach()
