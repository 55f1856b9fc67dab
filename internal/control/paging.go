package control

import (
	"errors"
	"strconv"

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
		return page{}, badMarker()
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
func cut[T any](p page, list []T, at func(T) store.Cursor) ([]T, *string) {
	if len(list) <= p.size {
		return list, nil
	}
	list = list[:p.size]
	return list, new(at(list[len(list)-1]).String())
}

// atName is the position just after what a list has by name alone.
func atName(name string) store.Cursor { return store.Cursor{Name: name, Version: function.Latest} }

// atLayer is the position just after a layer version.
func atLayer(v *function.LayerVersion) store.Cursor {
	return store.Cursor{Name: v.Key.Name, Version: strconv.FormatInt(v.Number, 10)}
}

func badMarker() error {
	return invalidParameter("The value of Marker is not one that an earlier answer gave as NextMarker.")
}
