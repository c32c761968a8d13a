package thinkingdata_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/gatehouse-go/gatehouse/storage/memory"
	td "github.com/gatehouse-go/gatehouse/thinkingdata"
)

// example is a system with the project game, a role of its own there, and ann
// and bob who have it.
func example() (*td.System, td.Project) {
	ctx := context.Background()
	sys, err := td.New(memory.New(memory.Config{}), td.Config{Hasher: td.PBKDF2{Iterations: 1000}})
	if err != nil {
		panic(err)
	}
	game, err := sys.CreateProject(ctx, "game")
	if err != nil {
		panic(err)
	}
	api := sys.Corporate()
	if _, err := api.CreateRole(ctx, game.ID, td.NewRole{Base: td.Analyst, Desc: "tags", Functions: []td.FunctionID{14, 34, 53}}); err != nil {
		panic(err)
	}
	role := []td.RoleChoice{{Project: game.ID, RoleDesc: "tags"}}
	if err := api.CreateUsers(ctx, []td.UserRoles{{LoginName: "ann", Roles: role}, {LoginName: "bob", Roles: role}}); err != nil {
		panic(err)
	}
	return sys, game
}

func ExampleSystem_Can() {
	sys, game := example()
	defer sys.Close()
	ann, _ := sys.User("ann")
	fmt.Println(sys.Can(ann.ID, game.ID, 53).Allowed)
	fmt.Println(sys.Can(ann.ID, game.ID, 28).Reason)
	sys.Corporate().Lock(context.Background(), "ann")
	fmt.Println(sys.Can(ann.ID, game.ID, 53).Reason)
	// Output:
	// true
	// not granted
	// user is locked
}

// The blacklist bars what is shared with all members, here through a group.
func ExampleSystem_CanSee() {
	ctx := context.Background()
	sys, game := example()
	defer sys.Close()
	api := sys.Corporate()
	group, _ := api.CreateGroup(ctx, game.ID, td.NewGroup{Name: "guests", Members: []td.MemberRef{{UserName: "bob"}}})
	api.AddBlackGroups(ctx, []td.GroupID{group}, td.BlackGroupType)
	fmt.Println("ann", sys.CanSee(game.ID, "ann").Reason)
	fmt.Println("bob", sys.CanSee(game.ID, "bob").Reason)
	// Output:
	// ann shared with all
	// bob blacklisted
}

// A project's token opens its project and no other.
func ExampleCaller() {
	ctx := context.Background()
	sys, game := example()
	defer sys.Close()
	token, err := sys.MakeProjectToken(ctx, game.ID)
	if err != nil {
		fmt.Println(err)
		return
	}
	api, err := sys.Authenticate(token)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = api.CreateGroup(ctx, game.ID, td.NewGroup{Name: "guests"})
	fmt.Println(err)
	_, err = api.CreateGroup(ctx, td.CompanyScope, td.NewGroup{Name: "guests"})
	fmt.Println(errors.Is(err, td.ErrNoPermission))
	_, err = api.ExportBlack(ctx)
	fmt.Println(errors.Is(err, td.ErrNoPermission))
	// Output:
	// <nil>
	// true
	// true
}

func ExampleError() {
	sys, game := example()
	defer sys.Close()
	_, err := sys.Corporate().CreateRole(context.Background(), game.ID, td.NewRole{Base: td.Member, Desc: "all", Functions: []td.FunctionID{1, 34}})
	if e, ok := errors.AsType[*td.Error](err); ok {
		fmt.Println(e.Code, e.Message, e.Param, e.Value)
		fmt.Println(e.Detail)
	}
	// Output:
	// -3004 invalid item roleFuncList [1 34]
	// base role member must not have 1
}

// Deleting a user hands what he made to another.
func ExampleCaller_DeleteUser() {
	ctx := context.Background()
	sys, game := example()
	defer sys.Close()
	board, _ := sys.AddAsset(ctx, td.NewAsset{Project: game.ID, Kind: td.Dashboard, Name: "revenue", Owner: "ann"})
	fmt.Println(sys.Corporate().DeleteUser(ctx, "ann", "bob"))
	board, _ = sys.Asset(board.ID)
	bob, _ := sys.User("bob")
	fmt.Println(board.Name, board.Owner == bob.ID)
	// Output:
	// <nil>
	// revenue true
}

func ExampleFormatBlacklist() {
	text := td.FormatBlacklist([]td.BlackEntry{{LoginName: "ann", Project: 2}, {LoginName: "@home"}})
	fmt.Print(string(text))
	lines, err := td.ParseBlacklist(text)
	fmt.Println(lines[1].Line, lines[1].LoginName, err)
	// Output:
	// loginName,blackProjectId
	// "ann","2"
	// "'@home","0"
	// 3 @home <nil>
}
