package picture

// julian is the Julian day number of a date. Months and days out of their range,
// as intervals have, give a number too.
func julian(y, m, d int) int {
	if m > 2 {
		m, y = m+1, y+4800
	} else {
		m, y = m+13, y+4799
	}
	century := y / 100
	return y*365 - 32167 + y/4 - century + century/4 + 7834*m/256 + d
}

// fromJulian is the date of a Julian day number.
func fromJulian(jd int) (y, m, d int) {
	j := uint32(jd) + 32044
	quad := j / 146097
	extra := (j-quad*146097)*4 + 3
	j += 60 + quad*3 + extra/146097
	quad = j / 1461
	j -= quad * 1461
	yy := j * 4 / 1461
	if yy != 0 {
		j = (j+305)%365 + 123
	} else {
		j = (j+306)%366 + 123
	}
	yy += quad * 4
	quad = j * 2141 / 65536
	return int(yy) - 4800, int((quad+10)%12 + 1), int(j - 7834*quad/256)
}

// isoWeekStart is the Monday of an ISO week: week 1 has 4 January.
func isoWeekStart(year, week int) int {
	fourth := julian(year, 1, 4)
	return (week-1)*7 + fourth - weekday(fourth-1)
}

// weekday of a Julian day; Sunday is 0.
func weekday(jd int) int {
	d := (jd + 1) % 7
	if d < 0 {
		d += 7
	}
	return d
}

func isoYear(y, m, d int) int {
	day := julian(y, m, d)
	switch {
	case day < isoWeekStart(y, 1):
		return y - 1
	case day >= isoWeekStart(y+1, 1) && isoWeekOf(day, y) >= 52:
		return y + 1
	}
	return y
}

func isoWeek(y, m, d int) int {
	day := julian(y, m, d)
	if day < isoWeekStart(y, 1) {
		return isoWeekOf(day, y-1)
	}
	if w := isoWeekOf(day, y); w < 52 || day < isoWeekStart(y+1, 1) {
		return w
	}
	return isoWeekOf(day, y+1)
}

func isoWeekOf(day, year int) int { return (day-isoWeekStart(year, 1))/7 + 1 }
