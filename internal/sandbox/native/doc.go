// Package native is lamb's own sandbox on Linux: namespaces, an allow-list
// root, control groups, no privileges and a system call filter, at about the
// price of a plain exec. It owns the shells, their process 1, the control
// groups, and the folders of the sandboxes on the host.
//
//	                 pool                      Create                  Start
//	newShell ──▶ parked shell ──configure──▶ sandbox ──fork, exec──▶ program …
//	 fork into namespaces        bind the spec's folders        by process 1, which
//	 build the root              leave the stores               reaps and reports
//	 listener, loopback          user, capabilities, seccomp
//
// A shell is everything that does not depend on the function. It becomes one
// sandbox at most and is never used again. Config.Ready shells wait; when none
// does, or a spec's folders are not in Config.Stores, Create makes one.
//
// Process 1 is not a program of Go's nor of C's: it is about forty
// instructions of assembly (vm_linux_*.s) that interpret scripts of system
// calls. Lamb puts them into a sealed file in memory, with an ELF header made
// by hand and a resident script (resident_linux.go), and sends further scripts
// over a socket that nobody else holds: to set up (setup_linux.go), to
// configure, start, kill and signal (requests_linux.go). A forker, a process of
// the same program outside of any sandbox, forks it as a child of lamb
// (spawn_linux.go): it has no files that would have to be copied and closed, as
// lamb has ten for each sandbox. As root there are forkers that have made the
// root which sandboxes have in common, in a mount namespace of their own: the
// kernel copies it with each fork, and only /proc, /tmp and two files of /etc are
// left to add. What is mounted on this host later, below a store or /usr, is not
// there. So policy is Go, and process 1 needs 10 KB and no time to start. It has
// no privileges from the moment that a function's first
// program starts, cannot be looked into (dumpable 0), signalled or ended from
// inside, and dies with lamb: when the socket closes, or, if it is frozen just
// then, by its parent-death signal.
//
// As root every sandbox has a user of its own from a range, and there is no
// user namespace. As an ordinary user there is one, with that user in it.
// Both are the same code otherwise.
//
// The network is the sandbox's own. Where the host allows it there is a way
// out, which package relay owns: process 1 opens the sockets that it needs
// while it still may, and lamb does the rest from outside (network_linux.go).
// To connect to a server inside, lamb asks process 1 for a socket (Box.Dial).
//
// As root, /tmp is a file system of its own in a file without a name, mounted
// by process 1 (disk_linux.go): that is its size limit. It is on disk, so that
// the function's memory is its own; as an ordinary user it is a folder.
//
// What native does not do: it shares the host's kernel, /usr and /bin with
// every function (readable).
package native
