package logs

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
)

// GroupInfo is what a list says of a group.
type GroupInfo struct {
	Group Group
	// Created is when the oldest line that is still there was about to be
	// written, in ms since 1970; Bytes what the group takes on the disk.
	Created, Bytes int64
}

// Groups lists the groups that have lines, by account, region and name. The
// error is ctx's or the file system's.
func (s *Store) Groups(ctx context.Context) ([]GroupInfo, error) {
	if err := s.Flush(ctx); err != nil {
		return nil, err
	}
	for id, seg := range s.nameless() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		// The name is all that is wanted of it.
		seg.size = min(seg.size, int64(maxPreamble))
		b, err := s.load(id, seg, 0)
		if err != nil {
			return nil, err
		}
		if key, _, err := parsePreamble(b); err == nil && key.id() == id {
			s.name(id, key)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []GroupInfo
	for _, g := range s.groups {
		if g.key.Name != "" { // else its segments are damaged
			list = append(list, GroupInfo{Group: g.key, Created: g.segments[0].start, Bytes: g.bytes})
		}
	}
	slices.SortFunc(list, func(a, b GroupInfo) int {
		return cmp.Or(strings.Compare(a.Group.Partition, b.Group.Partition), strings.Compare(a.Group.Account, b.Group.Account),
			strings.Compare(a.Group.Region, b.Group.Region), strings.Compare(a.Group.Name, b.Group.Name))
	})
	return list, nil
}

// nameless are the groups whose name is not known yet, with a segment each.
func (s *Store) nameless() map[groupID]segment {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := map[groupID]segment{}
	for id, g := range s.groups {
		if g.key.Name == "" {
			list[id] = *g.segments[0]
		}
	}
	return list
}

func (s *Store) name(id groupID, key Group) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.groups[id]; g != nil {
		g.key = key
	}
}

// StreamInfo is what a list says of a stream. Times are in ms since 1970.
type StreamInfo struct {
	Name          string
	First, Last   int64 // timestamps of the earliest and latest event
	LastIngestion int64
	Events, Bytes int64 // that are there, and their messages' length
}

// Streams lists the streams of a group that have lines and whose names begin
// with prefix, by name. It reads the whole group. The error is as Read's.
func (s *Store) Streams(ctx context.Context, g Group, prefix string) ([]StreamInfo, error) {
	q := Query{Group: g, StreamPrefix: prefix}
	if _, err := q.prepare(); err != nil {
		return nil, err
	}
	if err := s.Flush(ctx); err != nil {
		return nil, err
	}
	found := map[string]*StreamInfo{}
	_, err := s.walk(ctx, &q, place{}, false, func(_ int64, r record) bool {
		info := found[string(r.stream)]
		if info == nil {
			info = &StreamInfo{Name: string(r.stream), First: r.timestamp, Last: r.timestamp}
			found[info.Name] = info
		}
		info.First, info.Last = min(info.First, r.timestamp), max(info.Last, r.timestamp)
		info.LastIngestion = max(info.LastIngestion, r.ingestion)
		info.Events++
		info.Bytes += int64(len(r.message))
		return true
	})
	if err != nil {
		return nil, err
	}
	var list []StreamInfo
	for _, info := range found {
		list = append(list, *info)
	}
	slices.SortFunc(list, func(a, b StreamInfo) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// isDamage tells damage, which ends a segment, from errors of the file system.
func isDamage(err error) bool { return errors.Is(err, errSegment) }
