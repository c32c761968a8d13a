// Package thinkingdata is the user management of ThinkingData's analytics
// system: users, projects with their roles and groups, and the blacklist of
// dashboard sharing, behind tokens of a company or of one project.
//
//	sys, err := thinkingdata.New(memory.New(memory.Config{}), thinkingdata.Config{})
//	...
//	game, err := sys.CreateProject(ctx, "game")
//	api := sys.Corporate()
//	role, err := api.CreateRole(ctx, game.ID, thinkingdata.NewRole{
//		Base: thinkingdata.Analyst, Desc: "tags only", Functions: []thinkingdata.FunctionID{14, 34, 53},
//	})
//	err = api.CreateUsers(ctx, []thinkingdata.UserRoles{
//		{LoginName: "ann", Roles: []thinkingdata.RoleChoice{{Project: game.ID, RoleDesc: "tags only"}}},
//	})
//	ann, err := sys.User("ann")
//	fmt.Println(sys.Can(ann.ID, game.ID, 28)) // denied: not granted
//
// A [Caller] has the calls of the vendor's open API, one method for each, as
// the holder of a token may make them; a [System] has what that API lacks and a
// host needs: making projects, tokens, supervisors, assets and shares, logging
// in, and the judgements [System.Can], [System.CanSee] and [System.CanView].
// Package thinkingdata/rest serves the former over HTTP.
//
// # Who may do what
//
// Package rbac decides it, and nothing else does: which calls a token may make
// and in which project, which functions a user has, whether a share reaches him
// and whether a role's functions fit its base role. The rules are kept in the
// store and judged from memory: a judgement takes no lock and no allocation. A
// change that has returned is seen by the next judgement, and by other systems
// on the same store as they follow it.
//
// # What is checked, and in which order
//
// The token; whether it may make the call at all; the hosted edition's limits;
// that parameters are there and have their form; whether the token is for the
// project; that the project exists; that what else is named exists; and whether
// the values fit. The documents are silent on the order. Whatever fails, the
// call has changed nothing.
//
// # Sources
//
// Comments cite the headings of the vendor's "User Management API", and say
// where it is silent and what we chose. Left out are the vendor's APIs for
// projects and for the content of assets, and the codes of second factors.
package thinkingdata
