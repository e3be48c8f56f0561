package enrich

// matcher finds which of a list of literals occur in a string, in one pass over it: Aho and Corasick's automaton
// ("Efficient string matching", CACM 18, 1975) with all transitions written out. For the 1,500 literals of
// crawlers that is a table of 2 MB and a step of one load per byte.
type matcher struct {
	class [256]uint8 // byte -> column; 0 for bytes that no literal has
	width int        // columns
	next  []uint16   // state*width + column -> state
	hit   []int32    // state -> the longest literal that ends there, -1 for none
}

// newMatcher builds a matcher. All literals together must have less than 65,536 bytes.
func newMatcher(literals []string) *matcher {
	m := &matcher{width: 1}
	for _, l := range literals {
		for i := 0; i < len(l); i++ {
			if m.class[l[i]] == 0 {
				m.class[l[i]] = uint8(m.width)
				m.width++
			}
		}
	}
	m.addState()
	for i, l := range literals {
		m.addLiteral(l, int32(i))
	}
	m.link()
	return m
}

func (m *matcher) addState() uint16 {
	m.next = append(m.next, make([]uint16, m.width)...)
	m.hit = append(m.hit, -1)
	return uint16(len(m.hit) - 1)
}

// addLiteral adds a path to the trie; a transition to state 0 is one that is not there yet.
func (m *matcher) addLiteral(l string, i int32) {
	state := uint16(0)
	for j := 0; j < len(l); j++ {
		at := int(state)*m.width + int(m.class[l[j]])
		if m.next[at] == 0 {
			s := m.addState() // moves next
			m.next[at] = s
		}
		state = m.next[at]
	}
	m.hit[state] = i
}

// link fills in the transitions that the trie lacks with those of the longest proper suffix that is a state,
// breadth first, so that the suffix's own are complete.
func (m *matcher) link() {
	suffix := make([]uint16, len(m.hit))
	queue := []uint16{0}
	for len(queue) > 0 {
		s := queue[0]
		queue = queue[1:]
		if m.hit[s] < 0 {
			m.hit[s] = m.hit[suffix[s]]
		}
		row := m.next[int(s)*m.width:][:m.width]
		back := m.next[int(suffix[s])*m.width:][:m.width]
		for c := range row {
			switch child := row[c]; {
			case child == 0:
				if s != 0 {
					row[c] = back[c]
				}
			default:
				if s != 0 {
					suffix[child] = back[c]
				}
				queue = append(queue, child)
			}
		}
	}
}

// find returns the longest literal in begin + s + end, the one that ends first of equally long ones, or -1.
// The marks let a literal be bound to the beginning or the end.
func (m *matcher) find(literals []crawler, s string) int {
	best := -1
	state := m.next[m.class[markBegin]]
	step := func(b byte) {
		state = m.next[int(state)*m.width+int(m.class[b])]
		if h := int(m.hit[state]); h >= 0 && (best < 0 || len(literals[h].literal) > len(literals[best].literal)) {
			best = h
		}
	}
	for i := 0; i < len(s); i++ {
		step(s[i])
	}
	step(markEnd)
	return best
}
