package query

// codes numbers the values of one column of groups, in order of appearance.
type codes struct {
	index  map[string]uint32
	values []string
}

func newCodes() *codes { return &codes{index: map[string]uint32{}} }

func (c *codes) of(value string) uint32 {
	code, ok := c.index[value]
	if !ok {
		code = uint32(len(c.values))
		c.index[value] = code
		c.values = append(c.values, value)
	}
	return code
}

// pairs numbers pairs of a group by some columns and a code of the next one, in order of appearance.
type pairs struct {
	list  []uint64 // by number
	table []uint32 // open addressing; number + 1, 0 is free
	shift uint
	// The last one.
	last   uint64
	number uint32
}

const firstPairs = 8 // bits of the first table

func newPairs() *pairs {
	return &pairs{table: make([]uint32, 1<<firstPairs), shift: 64 - firstPairs, last: ^uint64(0)}
}

func (p *pairs) of(group, code uint32) uint32 {
	key := uint64(group)<<32 | uint64(code)
	if key == p.last {
		return p.number
	}
	p.last = key
	mask := len(p.table) - 1
	for i := int(key * 0x9e3779b97f4a7c15 >> p.shift); ; i = (i + 1) & mask {
		n := p.table[i]
		if n == 0 {
			p.list = append(p.list, key)
			p.table[i] = uint32(len(p.list))
			p.number = uint32(len(p.list) - 1)
			if len(p.list) > len(p.table)/2 {
				p.grow()
			}
			return p.number
		}
		if p.list[n-1] == key {
			p.number = n - 1
			return p.number
		}
	}
}

func (p *pairs) grow() {
	p.table, p.shift = make([]uint32, 2*len(p.table)), p.shift-1
	mask := len(p.table) - 1
	for n, key := range p.list {
		i := int(key * 0x9e3779b97f4a7c15 >> p.shift)
		for p.table[i] != 0 {
			i = (i + 1) & mask
		}
		p.table[i] = uint32(n + 1)
	}
}

// groups numbers groups by the codes of their columns: those of the first column are numbers of groups by one column, and each
// further column makes pairs.
type groups struct {
	columns []*codes
	levels  []*pairs // of columns[1:]
}

func newGroups(columns int) *groups {
	g := &groups{}
	for i := range columns {
		g.columns = append(g.columns, newCodes())
		if i > 0 {
			g.levels = append(g.levels, newPairs())
		}
	}
	return g
}

// len returns the number of groups. Without a column there is one.
func (g *groups) len() int {
	switch len(g.columns) {
	case 0:
		return 1
	case 1:
		return len(g.columns[0].values)
	}
	return len(g.levels[len(g.levels)-1].list)
}

// code returns the code of a column of a group.
func (g *groups) code(group uint32, column int) uint32 {
	for i := len(g.columns) - 1; i > 0; i-- {
		pair := g.levels[i-1].list[group]
		if i == column {
			return uint32(pair)
		}
		group = uint32(pair >> 32)
	}
	return group
}

// value returns the value of a column of a group.
func (g *groups) value(group uint32, column int) string {
	return g.columns[column].values[g.code(group, column)]
}

// merge adds the groups of another one, and returns the number that each of its groups has here.
func (g *groups) merge(o *groups) []uint32 {
	if len(g.columns) == 0 {
		return []uint32{0}
	}
	codes := make([][]uint32, len(g.columns))
	for i, c := range o.columns {
		codes[i] = make([]uint32, len(c.values))
		for code, value := range c.values {
			codes[i][code] = g.columns[i].of(value)
		}
	}
	number := codes[0]
	for i, level := range o.levels {
		next := make([]uint32, len(level.list))
		for n, pair := range level.list {
			next[n] = g.levels[i].of(number[pair>>32], codes[i+1][uint32(pair)])
		}
		number = next
	}
	return number
}
