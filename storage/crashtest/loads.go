package crashtest

import (
	"context"

	"quern/storage"
)

// load commits a batch as a load: staged segments and one ATTACH frame. One in
// five is given up, and must leave nothing.
func (r *run) load() {
	b := r.m.newBatch(r.rng)
	giveUp := r.rng.IntN(5) == 0
	c := b.commit()
	l, err := r.s.StartLoad(c, nil)
	if err != nil {
		r.died(err)
		return
	}
	defer l.Close()
	for i := range c.Tables {
		if err := l.Add(context.Background(), &c.Tables[i], nil); err != nil {
			b.fate = gone
			r.died(err)
			return
		}
	}
	if giveUp {
		b.fate = gone
		return
	}
	c.Tables, c.Loads = nil, []*storage.Load{l}
	out, err := r.s.Commit(context.Background(), c)
	if err != nil {
		r.died(err)
		return
	}
	r.rep.Loads++
	r.acked(b, &out, false)
}
