package native

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"

	"github.com/lambhq/lamb/internal/sandbox/loopback"
	"github.com/lambhq/lamb/internal/sandbox/relay"
)

// networkFiles are those in /etc that depend on the network.
func networkFiles(network string) (map[string]string, error) {
	hosts := "127.0.0.1 localhost " + hostNames + "\n::1 localhost ip6-localhost ip6-loopback\n"
	switch network {
	case NetworkPrivate:
		return map[string]string{
			"etc/hosts":       hosts + relay.HostAddress + " " + relay.HostName + "\n",
			"etc/resolv.conf": "nameserver " + relay.HostAddress + "\n",
		}, nil
	case NetworkHost:
		files := map[string]string{}
		for _, name := range []string{"etc/hosts", "etc/resolv.conf"} {
			content, err := os.ReadFile("/" + name)
			if err != nil && !errors.Is(err, os.ErrNotExist) || len(content) > maxCopied {
				return nil, fmt.Errorf("copy /%s: %w", name, cmp.Or[error](err, unix.EFBIG))
			}
			files[name] = string(content)
		}
		files["etc/hosts"] = "127.0.0.1 " + hostNames + " " + relay.HostName + "\n" + files["etc/hosts"]
		return files, nil
	}
	return map[string]string{"etc/hosts": hosts, "etc/resolv.conf": "options timeout:1 attempts:1\n"}, nil
}

// openNetwork tries a sandbox, with a private network where that is wanted
// and, unless it has to be, without where the host does not allow it.
func (p *Provider) openNetwork(cfg Config) error {
	network := cfg.Network
	switch network {
	case "", NetworkPrivate:
		err := p.tryPrivate(cfg)
		if err == nil || network == NetworkPrivate {
			return err
		}
		p.noNetwork, network = err, NetworkNone
	case NetworkHost:
		p.peers, p.openPeers = loopback.NewPeers()
	case NetworkNone:
	default:
		return fmt.Errorf("unknown network %q", network)
	}
	if err := p.useNetwork(network); err != nil {
		return err
	}
	return p.try()
}

func (p *Provider) tryPrivate(cfg Config) error {
	r, err := relay.New(relay.Config{Policy: cfg.Policy, Name: hostName, Logger: p.log})
	if err != nil {
		return err
	}
	p.relay = r
	err = p.useNetwork(NetworkPrivate)
	if err == nil {
		err = p.try()
	}
	if err != nil {
		p.relay = nil
		return errors.Join(err, r.Close())
	}
	return nil
}

func (p *Provider) useNetwork(network string) error {
	p.net = network
	files, err := networkFiles(network)
	for name, content := range files {
		err = errors.Join(err, p.root.write(name, content))
	}
	if err != nil {
		return fmt.Errorf("make the sandboxes' root: %w", err)
	}
	return nil
}

// listenOnHost opens the listener of a shell that shares the host's network:
// on a port of its own, for its user alone.
func (sh *shell) listenOnHost() error {
	uid := os.Geteuid()
	if who := sh.provider.identity(sh.user); who.change {
		uid = who.uid
	}
	l, err := sh.provider.peers.Listen(uid)
	if err != nil {
		return err
	}
	sh.listener, sh.address = l, l.Addr().String()
	return nil
}

// openRelay opens the sockets that the relay needs in this namespace.
func (s *script) openRelay() {
	for _, t := range relay.SocketTypes() {
		s.call("open a socket of the private network", unix.SYS_SOCKET, t[0], t[1], t[2])
	}
}

// serve connects the shell's network, as that of a sandbox of this name.
func (sh *shell) serve(id string) {
	if sh.inlet == nil {
		return
	}
	p := sh.provider
	session := relay.SessionConfig{ID: id}
	if p.lambdaAPI != nil {
		session.LambdaAPI = func(ctx context.Context) (net.Conn, error) { return p.lambdaAPI(ctx, id) }
	}
	sh.session = p.relay.Serve(sh.inlet, session)
}

// disconnect ends the shell's network.
func (sh *shell) disconnect() error {
	switch {
	case sh.session != nil:
		return sh.session.Close()
	case sh.inlet != nil:
		return sh.inlet.Close()
	}
	return nil
}

// explainNetwork says why there is no private network, and what would help.
func (p *Provider) explainNetwork() string {
	text := p.noNetwork.Error()
	if u, ok := errors.AsType[*Unavailable](p.noNetwork); ok {
		text = u.Step // the rest is about having no sandbox at all
	}
	switch {
	case errors.Is(p.noNetwork, relay.ErrNoTPROXY):
		text += "; load the modules nf_tables and nft_tproxy (`sudo modprobe nft_tproxy`)"
	case !p.rootless && errors.Is(p.noNetwork, unix.EPERM):
		text += "; give lamb's container CAP_NET_ADMIN and CAP_NET_RAW"
	}
	return text
}

// network says why the network is not what it could be.
func (p *Provider) network() (missing []string) {
	switch {
	case p.net == NetworkHost:
		missing = []string{"Functions share this host's network, because so it was asked for: they reach lamb, its environments' ports, this host's services and its abstract unix sockets."}
		if p.openPeers != "" {
			missing = append(missing, p.openPeers)
		} else if p.rootless {
			missing = append(missing, "A function can connect to another's Runtime API, because all run as the same user: lamb as root gives each a user of its own.")
		}
	case p.noNetwork != nil:
		missing = []string{
			"Functions have no network but their own loopback, because a private one does not work here: " + p.explainNetwork() + ".",
		}
	case p.net == NetworkNone:
		missing = []string{"Functions have no network but their own loopback: so it was asked for."}
	}
	return missing
}
