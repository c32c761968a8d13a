package thinkingdata

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/storage"
)

// ProjectID is the number of a project.
type ProjectID int64

// CompanyScope is a pseudo project that always exists and that all users are
// members of. Samples of the documents use it; it has groups and roles of its
// own, and only a corporate token reaches it. In the blacklist it stands for
// all projects.
const CompanyScope ProjectID = 0

// Project is a project, or the company scope. Projects are made by the host:
// the vendor's API for them is another document.
type Project struct {
	ID      ProjectID
	Name    string
	Created time.Time // in UTC
}

// MaxProjectName is the longest name of a project, in characters.
const MaxProjectName = 255

func checkProjectName(name string) error {
	switch {
	case strings.TrimSpace(name) == "":
		return Missing("projectName")
	case !utf8.ValidString(name):
		return Malformed("projectName", name, "is not UTF-8")
	case utf8.RuneCountInString(name) > MaxProjectName:
		return Malformed("projectName", name, fmt.Sprintf("is longer than %d characters", MaxProjectName))
	}
	return nil
}

// CreateProject makes a project with the next number and the preset roles.
func (s *System) CreateProject(ctx context.Context, name string) (Project, error) {
	return s.addProject(ctx, 0, name)
}

// AddProject makes a project with a number of the caller's choice, above 0.
// When it exists already it is returned as it is, so a program can add its
// projects at every start.
func (s *System) AddProject(ctx context.Context, id ProjectID, name string) (Project, error) {
	if id <= CompanyScope {
		return Project{}, Malformed("projectId", fmt.Sprint(id), "is not above 0")
	}
	return s.addProject(ctx, id, name)
}

func (s *System) addProject(ctx context.Context, id ProjectID, name string) (Project, error) {
	if err := checkProjectName(name); err != nil {
		return Project{}, err
	}
	var row projectRow
	err := s.update(ctx, func(w storage.Writer) error {
		row = projectRow{ID: id, Name: name, Created: s.now()}
		if id == 0 {
			n, err := of(s).tables.projectID.Next(w)
			if err != nil {
				return err
			}
			row.ID = ProjectID(n)
		} else {
			there, err := of(s).tables.projects.Has(w, table.Int(id))
			if err != nil {
				return err
			}
			if there {
				row, err = of(s).tables.projects.Get(w, table.Int(id))
				return err
			}
			if err := of(s).tables.projectID.AtLeast(w, int64(id)); err != nil {
				return err
			}
		}
		return s.insertProject(w, row)
	})
	if err != nil {
		return Project{}, err
	}
	return Project(row), nil
}

func (s *System) insertProject(w storage.Writer, row projectRow) error {
	if err := of(s).tables.projects.Insert(w, row); err != nil {
		return err
	}
	for _, p := range presets {
		preset := roleRow{Project: row.ID, Name: p.name, Desc: p.desc, Preset: true}
		if err := of(s).tables.roles.Insert(w, preset); err != nil {
			return err
		}
	}
	return nil
}

// Projects returns all projects by number, without the company scope.
func (s *System) Projects(ctx context.Context) ([]Project, error) {
	var list []Project
	err := s.view(ctx, func(r storage.Reader) error {
		for row, err := range of(s).tables.projects.Range(table.Int(CompanyScope+1), "").Rows(r) {
			if err != nil {
				return err
			}
			list = append(list, Project(row))
		}
		return nil
	})
	return list, err
}

// needProject returns an error unless the project exists.
func (s *System) needProject(r storage.Reader, param string, id ProjectID) error {
	there, err := of(s).tables.projects.Has(r, table.Int(id))
	if err == nil && !there {
		err = projectNotExist(param, id)
	}
	return err
}
