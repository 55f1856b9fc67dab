package control

import (
	"errors"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/store"
)

// maxPage is the most versions that the service returns at a time, however
// many are asked for.
const maxPage = 50

// page is what a request asks for of a list.
type page struct {
	after store.Cursor
	size  int
}

func newPage(marker *string, maxItems *int) (page, error) {
	after, err := store.ParseCursor(api.Value(marker))
	if errors.Is(err, store.ErrCursor) {
		return page{}, invalidParameter("The value of Marker is not one that an earlier answer gave as NextMarker.")
	}
	if err != nil {
		return page{}, err
	}
	size := maxPage
	if maxItems != nil && *maxItems > 0 && *maxItems < maxPage {
		size = *maxItems
	}
	return page{after: after, size: size}, nil
}

// cut takes a list that was read with one entry more than the page holds, and
// returns the page and the marker of the next one; nil at the end.
func (p page) cut(list []*function.Version) ([]*function.Version, *string) {
	if len(list) <= p.size {
		return list, nil
	}
	list = list[:p.size]
	return list, new(store.CursorAt(list[len(list)-1]).String())
}
