package postgres

// statements are what a store asks its database, with the schema filled in.
// Their text is beside the code that uses it.
type statements struct {
	position, get         string
	ascend, ascendTo      string
	descend, descendTo    string
	transact, trimHistory string
	listen, page          string
	append, read          string
	seek, bounds, trim    string
	tallies, keep, sweep  string
}

func newStatements(schema string) statements {
	in := inSchema(schema).Replace
	return statements{
		position: in(sqlPosition), get: in(sqlGet),
		ascend: in(sqlAscend), ascendTo: in(sqlAscendTo),
		descend: in(sqlDescend), descendTo: in(sqlDescendTo),
		transact: in(sqlTransact), trimHistory: in(sqlTrimHistory),
		listen: in(sqlListen(schema)), page: in(sqlPage),
		append: in(sqlAppend), read: in(sqlRead),
		seek: in(sqlSeek), bounds: in(sqlBounds), trim: in(sqlTrim),
		tallies: in(sqlTallies), keep: in(sqlKeep), sweep: in(sqlSweep),
	}
}
