package native

import (
	"errors"
	"fmt"
	"os"
	"sync"
)

// insideID is the user that programs are where there is no range: lamb's own,
// seen under AWS's number.
const insideID = 993

// users hands out the users of a claim, lowest first.
type users struct {
	mu   sync.Mutex // guards what follows
	free []int      // given back
	next int
}

func (u *users) take() (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if n := len(u.free); n > 0 {
		i := u.free[n-1]
		u.free = u.free[:n-1]
		return i, nil
	}
	if u.next == partUIDs {
		return -1, errors.New("every user of the range is taken")
	}
	u.next++
	return u.next - 1, nil
}

// give takes a user back; -1 is none.
func (u *users) give(i int) {
	if i < 0 {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.free = append(u.free, i)
}

// identity is who the processes of the sandbox with this user are.
func (p *Provider) identity(user int) identity {
	if p.rootless {
		return identity{uid: insideID, gid: insideID}
	}
	id := p.claim.first + user
	return identity{uid: id, gid: id, change: true}
}

// userFiles are the files of /etc that know a sandbox's user; without a range
// they are in the root.
func (p *Provider) userFiles(user int) (files []file) {
	if p.rootless {
		return nil
	}
	for name, content := range accounts(p.identity(user)) {
		files = append(files, file{"etc/" + name, content})
	}
	return files
}

// accounts are passwd and group for a user; on AWS it has such a name.
func accounts(who identity) map[string]string {
	const name = "sbx_user1051"
	return map[string]string{
		"passwd": fmt.Sprintf("root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n%s:x:%d:%d::/tmp:/sbin/nologin\n", name, who.uid, who.gid),
		"group":  fmt.Sprintf("root:x:0:\nnobody:x:65534:\n%s:x:%d:\n", name, who.gid),
	}
}

// writeFile writes a file that every user may read, whatever the umask.
func writeFile(path, content string) error {
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		return err
	}
	return os.Chmod(path, 0o644)
}
