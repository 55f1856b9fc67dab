package native

import (
	"context"
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"

	"github.com/lambhq/lamb/internal/sandbox/relay"
)

// networkFiles are those in /etc that depend on the network.
func networkFiles(private bool) map[string]string {
	hosts := "127.0.0.1 localhost " + hostName + "\n::1 localhost ip6-localhost ip6-loopback\n"
	if !private {
		return map[string]string{"etc/hosts": hosts, "etc/resolv.conf": "options timeout:1 attempts:1\n"}
	}
	return map[string]string{
		"etc/hosts":       hosts + relay.HostAddress + " " + relay.HostName + "\n",
		"etc/resolv.conf": "nameserver " + relay.HostAddress + "\n",
	}
}

// openNetwork tries a sandbox, with a private network where that is wanted
// and, unless it has to be, without where the host does not allow it.
func (p *Provider) openNetwork(cfg Config) error {
	switch cfg.Network {
	case "", NetworkPrivate:
		err := p.tryPrivate(cfg)
		if err == nil || cfg.Network == NetworkPrivate {
			return err
		}
		p.noNetwork = err
	case NetworkNone:
	default:
		return fmt.Errorf("unknown network %q", cfg.Network)
	}
	if err := p.useNetwork(false); err != nil {
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
	err = p.useNetwork(true)
	if err == nil {
		err = p.try()
	}
	if err != nil {
		p.relay = nil
		return errors.Join(err, r.Close())
	}
	return nil
}

func (p *Provider) useNetwork(private bool) error {
	p.private = private
	for name, content := range networkFiles(private) {
		if err := p.root.write(name, content); err != nil {
			return fmt.Errorf("make the sandboxes' root: %w", err)
		}
	}
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

// network says what is in force, and why if it is not what it could be.
func (p *Provider) network() (name string, missing []string) {
	switch {
	case p.private:
		return NetworkPrivate, nil
	case p.noNetwork != nil:
		return NetworkNone, []string{
			"Functions have no network but their own loopback, because a private one does not work here: " + p.explainNetwork() + ".",
		}
	}
	return NetworkNone, []string{"Functions have no network but their own loopback: so it was asked for."}
}
