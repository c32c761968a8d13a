package gatehouse_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/gatehouse-go/gatehouse"

// floor is a level of the house: a package imports packages of lower floors,
// and of its own where that is allowed.
type floor int

const (
	root     floor = iota // shared words: the module's own package
	engine                // engines, addresses and the storage ports: pure
	adapter               // an engine's companion that speaks HTTP or dials
	shared                // internal: what the systems share
	system                // a vendor's rules
	surface               // a system over HTTP
	assembly              // what puts surfaces together
	program               // examples
)

// floors names each package's floor; the longest matching path wins.
var floors = []struct {
	path  string
	floor floor
}{
	{"", root},
	{"address", engine},
	{"address/addresshttp", adapter},
	{"acl", engine},
	{"acl/aclhttp", adapter},
	{"ratelimit", engine},
	{"ratelimit/ratelimithttp", adapter},
	{"rbac", engine},
	{"roma/vpc", engine},
	{"roma/vpc/probe", adapter},
	{"storage", engine},
	{"storage/storagetest", adapter}, // drives stores, so it may do I/O
	{"internal", shared},
	{"internal/emulator", assembly},
	{"agora", system},
	{"agora/rest", surface},
	{"milesight", system},
	{"milesight/rest", surface},
	{"roma", system},
	{"roma/gateway", surface}, // the data plane is itself a handler
	{"roma/rest", surface},
	{"thinkingdata", system},
	{"thinkingdata/rest", surface},
	{"examples", program},
}

// sideways lists the floors whose packages may import others of the same floor.
var sideways = []floor{engine, adapter, shared, assembly}

// impure is what the engines' floor may not import: I/O, HTTP, logging.
var impure = []string{"net", "net/http", "log", "log/slog", "os", "os/exec", "os/signal", "syscall", "database/sql"}

// core are the only modules that the root module may require directly.
var core = []string{"github.com/google/uuid", "golang.org/x/time", "github.com/tidwall/btree"}

type pkg struct {
	dir     string
	name    string
	doc     bool
	imports []string // of its files that are no tests
}

// packages parses every package of the root module.
func packages(t *testing.T) []pkg {
	t.Helper()
	byDir := map[string]*pkg{}
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			nested := false
			if file != "." {
				_, err := os.Stat(filepath.Join(file, "go.mod"))
				nested = err == nil
			}
			base := d.Name()
			if nested || base == "testdata" || base != "." && strings.HasPrefix(base, ".") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		dir := path.Dir(filepath.ToSlash(file))
		if dir == "." {
			dir = ""
		}
		p := byDir[dir]
		if p == nil {
			p = &pkg{dir: dir, name: tree.Name.Name}
			byDir[dir] = p
		}
		p.doc = p.doc || documented(tree)
		for _, spec := range tree.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			p.imports = append(p.imports, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var all []pkg
	for _, p := range byDir {
		all = append(all, *p)
	}
	slices.SortFunc(all, func(a, b pkg) int { return strings.Compare(a.dir, b.dir) })
	return all
}

func documented(f *ast.File) bool {
	want := "Package " + f.Name.Name + " "
	if f.Name.Name == "main" {
		want = "Command "
	}
	return f.Doc != nil && strings.HasPrefix(f.Doc.Text(), want)
}

func floorOf(dir string) floor {
	best, length := root, -1
	for _, f := range floors {
		if len(f.path) > length && (dir == f.path || f.path == "" || strings.HasPrefix(dir, f.path+"/")) {
			best, length = f.floor, len(f.path)
		}
	}
	return best
}

// house returns the vendor whose system or surface a package belongs to, or "".
func house(dir string) string {
	if f := floorOf(dir); f != system && f != surface {
		return ""
	}
	first, _, _ := strings.Cut(dir, "/")
	return first
}

func TestImportsStayOnTheirFloors(t *testing.T) {
	all := packages(t)
	if len(all) < 3 {
		t.Fatalf("found %d packages; the walk is broken", len(all))
	}
	for _, p := range all {
		own := floorOf(p.dir)
		if p.dir != "" && own == root {
			t.Errorf("%s: belongs to no floor; add it to the table", p.dir)
		}
		for _, name := range p.imports {
			first, _, _ := strings.Cut(name, "/")
			inside, isOurs := strings.CutPrefix(name, module)
			inside = strings.TrimPrefix(inside, "/")
			switch {
			case isOurs:
				other := floorOf(inside)
				sameSystem := house(p.dir) != "" && house(p.dir) == house(inside)
				if other > own || other == own && !slices.Contains(sideways, own) && !sameSystem {
					t.Errorf("%s imports %s: not on a lower floor", p.dir, inside)
				}
				if a, b := house(p.dir), house(inside); a != "" && b != "" && a != b {
					t.Errorf("%s imports %s: sideways between two systems", p.dir, inside)
				}
			case strings.Contains(first, "."):
				if !slices.ContainsFunc(core, func(m string) bool { return name == m || strings.HasPrefix(name, m+"/") }) {
					t.Errorf("%s imports %s: not one of the core dependencies", p.dir, name)
				}
			case own <= engine && slices.Contains(impure, name):
				t.Errorf("%s imports %s: the engines' floor is pure", p.dir, name)
			}
		}
	}
}

func TestEveryPackageHasADoc(t *testing.T) {
	for _, p := range packages(t) {
		if !p.doc {
			t.Errorf("%q has no package comment", path.Join(module, p.dir))
		}
	}
}

// The map has every package, with the modules nested below, and the places that it
// names are there.
func TestTheMapHasEveryPackage(t *testing.T) {
	text, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, m := range regexp.MustCompile("`([a-z0-9/]+)`").FindAllStringSubmatch(string(text), -1) {
		names[strings.TrimSuffix(m[1], "/")] = true
	}
	var places []string
	for _, p := range packages(t) {
		places = append(places, p.dir)
	}
	modules, err := filepath.Glob("*/*/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range modules {
		places = append(places, path.Dir(filepath.ToSlash(m)))
	}
	for _, dir := range places {
		if dir != "" && !names[dir] {
			t.Errorf("ARCHITECTURE.md does not have %s", dir)
		}
	}
	for name := range names {
		first, _, inside := strings.Cut(name, "/")
		if _, err := os.Stat(first); !inside || err != nil {
			continue // another's, as net/http
		}
		if _, err := os.Stat(name); err != nil {
			t.Errorf("ARCHITECTURE.md has %s, which is not there", name)
		}
	}
}

func TestRootRequiresOnlyTheCore(t *testing.T) {
	text, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	requirement := regexp.MustCompile(`(?m)^(?:require)?\s+([^\s()/]+\.[^\s()]+/[^\s()]+) v[^\s]+( // indirect)?$`)
	for _, m := range requirement.FindAllStringSubmatch(string(text), -1) {
		if m[2] == "" && !slices.Contains(core, m[1]) {
			t.Errorf("go.mod requires %s directly; only %v may be", m[1], core)
		}
	}
}
