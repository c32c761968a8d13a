// Package table keeps typed rows in storage.Records: a table of T with a primary
// key, unique and ordered secondary indexes, references between tables, stored
// sequences, and lists with filters, orders and pages.
//
// A system declares a [Schema] once and its tables in it:
//
//	type tables struct {
//		schema   *table.Schema
//		projects *table.Table[Project]
//		byAppID  *table.Unique[Project]
//		rules    *table.Table[Rule]
//		byApp    *table.Index[Rule]
//		ruleIDs  *table.Sequence
//	}
//
//	s := table.NewSchema("agora")
//	projects := table.New(s, "project", func(p *Project) table.Key { return table.Str(p.ID) })
//	byAppID := projects.Unique("app_id", func(p *Project) table.Key { return table.Str(p.AppID) })
//	rules := table.New(s, "rule", func(r *Rule) table.Key { return table.Int(r.ID) })
//	byApp := rules.Index("project", func(r *Rule) table.Key { return table.Str(r.Project) })
//	byApp.References(projects, table.Cascade)
//
// and works with them in the transactions of its store:
//
//	p, err := byAppID.Get(r, table.Str(appid))             // a *NotFoundError when missing
//	err = rules.Insert(w, rule)                            // a *ConflictError when taken
//	rule, err = rules.Update(w, table.Int(id), func(r *Rule) error { ... })
//	page, err := byApp.Prefix(table.Str(p.ID)).Desc().
//		Where(func(r *Rule) bool { return strings.Contains(r.Name, name) }).
//		Page(r, table.Window{Offset: offset, Limit: limit})
//	n, err := byApp.Prefix(table.Str(p.ID)).Delete(w)      // all rules of a project
//
// # Life of a write
//
// Insert encodes the row, computes its primary key and its keys in all indexes,
// looks up each unique key and each referenced row, and only then writes: the
// index entries and the row, one Put each. A refused write has written nothing,
// so the transaction may go on to the next item. Update and Put decode the row
// that was there and touch only the entries that differ; a row that stays as it
// was is not written at all. Delete plans what goes along by reference first.
// All of it is in the caller's transaction, so rows and entries commit together.
// [Schema.Check] verifies it.
//
// Tables keep no rows in memory: every Get decodes, which for a row of 200 bytes
// of JSON costs some 3 us, a hundred times what a step over its key does. What is
// judged on every call belongs into live state (package live), which
// [Table.Changes] feeds with typed rows from the store's commits.
package table
