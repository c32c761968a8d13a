// Package rbac decides who may do what by roles: subjects hold roles in
// domains, roles inherit roles and grant permissions, and a permission is a
// function or an action on a resource, which reaches all that the resource
// contains.
//
//	e := rbac.New()
//	editor, acme := rbac.Company.Role("editor"), rbac.Domain("acme")
//	folder, page := rbac.Resource{Kind: "folder", ID: "7"}, rbac.Resource{Kind: "page", ID: "12"}
//	_, err := e.Change(func(tx *rbac.Tx) error {
//		tx.Define(editor, rbac.RoleSpec{})
//		tx.Grant(rbac.Grant{Role: editor, Permission: rbac.On("edit", folder)})
//		tx.Place(page, folder)
//		return tx.Assign(rbac.Assignment{Subject: "ann", Role: editor, Domain: acme})
//	})
//	d := e.Check(time.Now(), rbac.Question{Subject: "ann", Domain: acme, Permission: rbac.On("edit", page)})
//
// A [Decision] says through which role, grant and containers it came about and
// at which revision of the rules. [Snapshot.Explain] gives every path that was
// tried; [Snapshot.WhoMay], [Snapshot.WhatMay] and [Snapshot.RolesFor] answer
// the reverse questions; [Snapshot.Actor] and [Snapshot.Filter] judge many
// objects at once.
//
// # The rules
//
// A question is allowed when the subject is not frozen and holds, in the domain
// asked about or in the whole company, a role that has the permission or
// inherits one that has it. A role has a permission by a grant of the function;
// by a grant of the action on the resource, on its container, on the
// container's container, and so on; or by being a super-role, which has every
// permission there is. There are no rules that deny and none that outrank
// others, so their order means nothing.
//
// Assignments and grants have [Terms]: a state and a last moment. A path
// allows when all its rules are enforced and none has ended. When only a rule
// in state Shadow is in the way, the decision is a denial that says so.
//
// Three constraints are held at every change, none at a check: roles and
// containers form no cycles, an [Exclusion] keeps two roles from being held
// together, and a [Base] says which functions a role must, may and must not
// have.
//
// # Changes and readers
//
// [Engine.Change] runs one transaction at a time on a copy of the rules that
// shares all it leaves alone: a change of a role of one user among a million
// copies four small pages. The copy is published by one atomic store, and a
// check begins with one atomic load. So a check sees a transaction whole or not
// at all, needs no lock, and never waits; a [Snapshot] stays as it is for as
// long as it is held.
//
// Only names and backlinks are shared by all snapshots and grow in place: see
// interner and backlinks for why nobody sees them half written.
//
// What is left out: rules that deny, roles that a subject chooses to activate
// in a session, and conditions on attributes. Rules are kept in memory; the
// caller loads them from its records.
package rbac
