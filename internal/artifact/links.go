package artifact

import "strings"

// checkLinks refuses links that lead out of the tree. dir is a folder of the
// tree, and way the folders from the root down to it, itself included.
func (a *archive) checkLinks(dir *node, way []*node) error {
	way = append(way, dir)
	for name, n := range dir.children {
		if n.isDir() {
			if err := a.checkLinks(n, way); err != nil {
				return err
			}
			continue
		}
		if !n.link {
			continue
		}
		follow := maxFollow
		if _, err := walk(way, n.target, &follow); err != nil {
			return badZip("the link %.300q has the target %.300q, which %s", name, n.target, err)
		}
	}
	return nil
}

// leaves is why a link is refused.
type leaves string

func (l leaves) Error() string { return string(l) }

// walk goes from the folder at the end of way along target, through links as
// the kernel does, and returns the way to where it ends. That it never leaves
// cannot be told from the text: with a link s to ".", "s/s/../.." leaves the
// tree although it looks as if it did not.
func walk(way []*node, target string, follow *int) ([]*node, error) {
	way = way[:len(way):len(way)] // appending must not change the caller's
	for part := range strings.SplitSeq(target, "/") {
		switch part {
		case "", ".":
			continue
		case "..":
			if len(way) == 1 {
				return nil, leaves("leaves the tree")
			}
			way = way[:len(way)-1]
			continue
		}
		n := way[len(way)-1].children[part]
		switch {
		case n == nil, !n.isDir() && !n.link:
			// Missing, or a file: the kernel ends here. Going on as if it
			// were a folder only refuses more.
			way = append(way, &node{})
		case n.link:
			if *follow--; *follow < 0 {
				return nil, leaves("goes through too many links")
			}
			var err error
			if way, err = walk(way, n.target, follow); err != nil {
				return nil, err
			}
		default:
			way = append(way, n)
		}
	}
	return way, nil
}
