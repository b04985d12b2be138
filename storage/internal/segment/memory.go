package segment

import (
	"slices"
	"sync"

	"quern/storage/internal/encoding"
)

// Memory is what was learnt of a table's columns while they were encoded, so that
// the next segment need not try what never pays. Many builds may share it.
type Memory struct {
	mu   sync.Mutex // guards cols
	cols map[uint32]encoding.Choices
}

// choices is a copy of what is known of a column.
func (m *Memory) choices(id uint32) *encoding.Choices {
	c := new(encoding.Choices)
	if m != nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		*c = m.cols[id]
	}
	return c
}

// keep takes back what choices gave.
func (m *Memory) keep(id uint32, c *encoding.Choices) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cols == nil {
		m.cols = map[uint32]encoding.Choices{}
	}
	m.cols[id] = *c
}

// prepare makes an encoder ready for pages of a column.
func (s *Spec) prepare(e *encoding.Encoder, id uint32) {
	e.SortKey = slices.ContainsFunc(s.Order, func(k SortKey) bool { return k.Col == id })
	e.Choices = s.Memory.choices(id)
}
