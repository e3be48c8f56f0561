package main

type benchCommand struct{}

func (benchCommand) Run(p *process, logs *logFlags) error { return usagef("not yet") }
