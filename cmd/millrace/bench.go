package main

// benchCommand measures. Its parts are in package bench.
type benchCommand struct{}

func (benchCommand) Run(*process, *logFlags) error { return usagef("not built yet") }
