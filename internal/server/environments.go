package server

import "github.com/lambhq/lamb/internal/pool"

// environments is the view of all execution environments, or of the one with
// an id.
func (s *Server) environments(id string) any {
	all := s.pool.Environments()
	if id == "" {
		return struct {
			Environments []pool.View `json:"environments"`
		}{all}
	}
	for _, view := range all {
		if view.ID == id {
			return view
		}
	}
	return nil
}
