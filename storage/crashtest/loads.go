package crashtest

import (
	"context"
)

// load commits a batch as a load: staged segments and one ATTACH frame. One in
// five is given up, and must leave nothing.
func (r *run) load() {
	b := r.m.newBatch(r.rng)
	giveUp := r.rng.IntN(5) == 0
	c := b.commit()
	key := c.Key
	c.Key = nil
	l, err := r.s.StartLoad(c)
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
	out, err := l.Commit(context.Background(), key)
	if err != nil {
		r.died(err)
		return
	}
	r.rep.Loads++
	r.acked(b, &out, false)
}
