package colfile

import (
	"fmt"
	"io"
)

// Pages goes through a row group by its pages, in all of some columns at once, and holds one page of each.
type Pages struct {
	file    *File
	columns []pageColumn
	left    int // rows that are not in a page of this or an earlier window
}

type pageColumn struct {
	reader *chunkReader
	page   Vector
	used   int // rows of page that were given
	rows   int
}

// Pages returns what goes through columns that were asked for; nil stands for all of the schema.
func (g *Group) Pages(columns []int) (*Pages, error) {
	p := &Pages{file: g.file, left: g.rows}
	if columns == nil {
		for i := range g.file.schema.Columns {
			columns = append(columns, i)
		}
	}
	for _, c := range columns {
		r, err := g.chunk(c)
		if err != nil {
			return nil, err
		}
		r.share = true
		p.columns = append(p.columns, pageColumn{reader: r})
	}
	return p, nil
}

// Next sets out, of each column one, to the next rows, and returns how many they are; after the last it returns io.EOF. What out
// holds is valid until the next call, and not to be changed; a dictionary for as long as it is held.
func (p *Pages) Next(out []Vector) (rows int, err error) {
	if p.left == 0 {
		return 0, io.EOF
	}
	err = p.file.guard(func() error {
		rows = p.left
		for i := range p.columns {
			c := &p.columns[i]
			if c.used == c.rows {
				if err := c.load(); err != nil {
					return fmt.Errorf("column %q: %w", c.reader.column.Name, err)
				}
			}
			rows = min(rows, c.rows-c.used)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	for i := range p.columns {
		c := &p.columns[i]
		from, to := c.used, c.used+rows
		out[i] = Vector{Dict: c.page.Dict}
		if c.reader.column.Kind == Text {
			out[i].Codes = c.page.Codes[from:to:to]
		} else {
			out[i].Ints = c.page.Ints[from:to:to]
			if c.reader.column.Optional {
				out[i].Null = c.page.Null[from:to:to]
			}
		}
		c.used = to
	}
	p.left -= rows
	return rows, nil
}

func (c *pageColumn) load() (err error) {
	if len(c.page.Codes) > 0 && &c.page.Codes[0] == &zeros[0] {
		c.page.Codes = nil
	}
	c.page.reset()
	c.used = 0
	c.rows, err = c.reader.next(&c.page)
	return err
}
