// Package agora is the control plane of Agora's dashboard API, and the gate it
// controls, in process: projects with their certificates, usage, banning
// (kicking) rules, and the online channels with their members.
//
//	sys, err := agora.New(memory.New(memory.Config{}), agora.Config{})
//	...
//	account, _, err := sys.CreateAccount(ctx)
//	project, err := account.CreateProject(ctx, agora.NewProject{Name: "demo"})
//	_, err = account.CreateRule(ctx, project.AppID, agora.NewRule{
//		Selectors: agora.Selectors{UID: 7},
//		Term:      agora.Minutes(10),
//	})
//	_, err = sys.Join(ctx, agora.JoinRequest{AppID: project.AppID, CName: "lobby", UID: 7})
//	fmt.Println(err) // agora: banned by server: rule 1 (uid 7) until ...
//
// An [Account] has the calls of the vendor's API, one method for each; a
// [System] has what happens at the gate: joining, leaving, publishing, and
// [System.Judge] and [System.Explain] for those who only want to know. Package
// agora/rest serves the former over HTTP.
//
// Rules and projects are kept in the store and judged from memory. A judgement
// takes no lock and no allocation and does not depend on the number of rules; a
// change that has returned is seen by the next judgement, and by other systems
// on the same store as they follow it. Members are of this process and are not
// kept.
//
// # Sources
//
// Comments cite the "Dashboard RESTful API" and its later edition of "PUT
// kicking-rule", and say where the documents are silent and what we chose.
// Selectors are joined by AND, of which the documents show some combinations
// only. Left out are the vendor's media, the tokens themselves (package
// agora/token) and accounts' own management.
package agora
