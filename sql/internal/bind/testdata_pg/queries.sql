-- names
select 1
select 'a'
select null
select true
select 1.5
select 1e3
select 10000000000
select 99999999999999999999
select -5
select -2147483648
select 1 as x
select 1 x
select a from t
select t.a from t
select public.t.a from t
select a+1 from t
select -a from t
select a::int8 from t
select a::text from t
select '1'::int
select int '5'
select date '2020-01-01'
select timestamp '2020-01-01 10:00'
select timestamptz '2020-01-01 10:00'
select interval '1 day'
select cast(a as numeric) from t
select cast('x' as varchar(3))
select cast('x' as char(3))
select cast('x' as char)
select c::varchar(5) from t
select n::numeric(8,3) from t
select (a+1)::float8 from t
select count(*) from t
select count(a) from t
select sum(a) from t
select sum(b) from t
select sum(n) from t
select sum(f) from t
select avg(a) from t
select avg(f) from t
select avg(b) from t
select min(c) from t
select max(v) from t
select min(d) from t
select max(ts) from t
select bool_and(ok) from t
select case when a > 1 then 1 else 2 end from t
select case when a > 1 then 1 else a end from t
select case a when 1 then 'x' end from t
select case when a > 1 then 1 else 2.5 end from t
select case when a > 1 then null else null end from t
select case when ok then a else b end from t
select case when ok then 'x' else c end from t
select coalesce(a, 0) from t
select coalesce(c, 'x') from t
select coalesce(a, 1.5) from t
select coalesce(null, null)
select nullif(a, 0) from t
select nullif(c, 'x') from t
select greatest(a, b) from t
select least(a, 1.5) from t
select exists (select 1 from t)
select (select max(a) from t)
select (select 1)
select (select a as k from t limit 1)
select a in (1, 2) from t
select a between 1 and 2 from t
select c like 'x%' from t
select c ilike 'x%' from t
select not ok from t
select ok and a > 1 from t
select a is null from t
select ok is true from t
select a is distinct from b from t
select a = 1 from t
select c || 'x' from t
select a || 'x' from t
select lower(c) from t
select upper(v) from t
select length(c) from t
select substring(c from 2 for 3) from t
select trim(c) from t
select position('a' in c) from t
select extract(year from ts) from t
select date_trunc('day', ts) from t
select date_trunc('day', tz) from t
select date_part('year', ts) from t
select now()
select current_date
select current_timestamp
select localtimestamp
select current_user
select session_user
select current_database()
select round(n) from t
select round(n, 1) from t
select round(f) from t
select abs(a) from t
select ceil(f) from t
select floor(n) from t
select sqrt(a) from t
select power(a, 2) from t
select a / 2 from t
select a / 2.0 from t
select a % 2 from t
select a * b from t
select a + f from t
select a + n from t
select b + n from t
select f + n from t
select f4 + a from t
select f4 + f from t
select s + a from t
select s + s from t
select 2 ^ 3
select d - d from t
select d + 1 from t
select d + interval '1 day' from t
select ts - ts from t
select tz - tz from t
select ts + interval '1 day' from t
select tz - interval '1 day' from t
select d < ts from t
select d = '2020-01-01' from t
select ts at time zone 'UTC' from t
select tz at time zone 'UTC' from t
select n * 2 from t
select n / 3 from t
select j -> 'a' from t
select j ->> 'a' from t
select j #>> '{a,b}' from t
select u from t
select by from t
select ch from t
select v from t
select n from t
select * from t
select t.* from t
select t.*, 1 from t
select x.a from t x
select x.* from t as x
select x.y from t as x(y)
select * from t as x(y, z)
select count(*) as n, c from t group by c
select c, count(*) from t group by 1
select c as k, count(*) from t group by k
select a + 1 as k, count(*) from t group by k
select lower(c), count(*) from t group by lower(c)
select count(distinct c) from t
select count(*) filter (where a > 1) from t
select string_agg(c, ',') from t
select string_agg(c, ',' order by c desc) from t
-- set operations
select 1 union select 2.5
select 1 union select null
select null union select 1
select 'a' union select 'b'
select null union select null
select a from t union select b from t
select a from t union all select f from t
select c from t union select v from t
select v from t union all select v from t
select n from t union all select n from t
select a as x from t union select b as y from t
select a from t intersect select b from t
select a from t except select 1
select d from t union select ts from t
select ts from t union select tz from t
values (1, 'a'), (2, 'b')
values (1), (2.5)
values (null), (1)
values (null)
select * from (values (1, 'a')) v(x, y)
select * from (values (1, 'a')) v
select column1 from (values (1)) v
select * from generate_series(1, 3)
select * from generate_series(1, 3) g
select g from generate_series(1, 3) g
select g.x from generate_series(1, 3) g(x)
select * from generate_series(1::bigint, 3)
-- joins
select * from t2 join t3 using (k)
select * from t2 left join t3 using (k)
select * from t2 right join t3 using (k)
select * from t2 full join t3 using (k)
select * from t2 natural join t3
select k from t2 join t3 using (k)
select t2.k, t3.k from t2 join t3 using (k)
select * from t2, t3
select * from t2 cross join t3
select * from (select 1 as a, 2 as b) s
select s.a from (select 1 as a) s
with q as (select 1 as a) select * from q
with q(z) as (select 1) select z from q
with q as (select a from t), r as (select a + 1 from q) select * from r
-- parameters
select $1::int
select $1::int + $2
select a + $1 from t
select a from t where b = $1
select a from t where c like $1
select a from t where ts > $1
select a from t limit $1 offset $2
select a from t where a in ($1, $2)
select a from t where a between $1 and $2
select coalesce($1, 1)
select coalesce(c, $1) from t
select $1
select $1, $2::int
select $1 = $2
select $1 || 'x'
select lower($1)
select case when $1 then 1 else 2 end
select $1 is null
select $2::int
select $1::int, $1::text
select $1::int union select $2
insert into t2 values ($1, $2)
insert into t2 (k) select $1
insert into t2 (k, x) values ($1, $2), (3, $3)
-- errors: names
select zz from t
select t.zz from t
select zz.a from t
select aa from t
select tt.a from t
select * from nope
select * from nope.t
select * from public.nope
select a from t, t x
select k from t2, t3
select t2.k from t2, t2
select * from t2 a, t3 a
select x.a from t where x.a = 1
select t.a from t x
select a from t order by zz
select a, b as a from t order by a
select a from t order by 5
select a from t group by 5
select a from t order by 'x'
select a from t order by 1.5
select zz(1)
select lower(1, 2)
select lower(a) from t
select a + c from t
select c + 1 from t
select a + 'x' from t
select a = 'x' from t
select 'x'::int
select '2020-13-01'::date
select 1::zz
select c::int4 from t
select d::int from t
select ok::int8 from t
select a from t where a
select a from t where c
select a from t where 1
select a from t where 'x'
select a and ok from t
select not a from t
select case when a then 1 end from t
select case when ok then 1 else c end from t
select case when ok then 'x' else 1 end from t
select coalesce(a, c) from t
select coalesce(a, 'x') from t
select a in ('x') from t
select a in (c) from t
select a like 'x' from t
select a union select b from t
select a from t union select c from t
select 1 union select 1, 2
select 1 union select 'x'
select a, count(*) from t
select a + 1, count(*) from t group by b
select b from t group by a
select t.c from t group by a having count(*) > 1
select a from t having count(*) > 1
select count(*) from t where count(*) > 1
select a from t group by count(*)
select sum(count(*)) from t
select count(a, b) from t
select count() from t
select sum(c) from t
select a from t where sum(a) > 1
select lower(distinct c) from t
select lower(*) from t
select lower(c) filter (where ok) from t
select row_number() from t
select (select a, b from t)
select a in (select a, b from t) from t
select (a, b) in (select a from t) from t
select (a, b) = (1, 2, 3) from t
select distinct a from t order by b
select distinct on (a) a from t order by b
select $0
select a from t limit 'x'
select a from t limit a
select a from t limit 1.5
select a from t limit ok
values (1, 2), (3)
values (1), ('x')
select * from t2 join t3 using (zz)
select * from t2 join t3 using (k, k)
select * from t2 join t3 on t2.k
select * from t2 left join t3 on zz = 1
select * from t2 a join t3 b on a.k = c.k
select * from (select 1, 2) s(a, b, c)
select * from t as x(a1,a2,a3,a4,a5,a6,a7,a8,a9,a10,a11,a12,a13,a14,a15,a16,a17)
with q as (select 1) select * from r
with q as (select 1), q as (select 2) select * from q
with q(a, b) as (select 1) select * from q
select * 
select t.* from t2
select foo.* from t
select a from t collate
select c collate "C" from t
select a collate "C" from t
select c collate "zz" from t
select j = j from t
select u = 'x' from t
select u = a from t
select d + d from t
select ts + ts from t
select - c from t
select ok + 1 from t
select by || c from t
select nope.lower('x')
select pg_catalog.lower('X')
select cast(a as zz) from t
select cast('x' as varchar(0))
select cast(1 as numeric(1001))
select extract(zz from ts) from t
select sum(distinct a, b) from t
select string_agg(c) from t
select string_agg(distinct c, ',' order by a) from t
select max(j) from t
select max(ok) from t
select greatest(a, c) from t
select nullif(a, c) from t
select a from t offset -1
select 1 where exists (select zz from t)
select (select zz)
select (select t.zz from t2) from t
select count(*) over () from t where count(*) over () > 1
insert into nope values (1)
insert into t2 values (1, 'x', 3)
insert into t2 (k, zz) values (1, 2)
insert into t2 (k, k) values (1, 2)
insert into t2 (k, x) values (1)
insert into t2 (k) values (1, 2)
insert into t2 values ('x')
insert into t2 values (ok)
insert into t2 values (true)
insert into t2 values (1), (2, 3)
insert into t2 select true
insert into t2 select 1, 2, 3
insert into t2 select 'x', 'y'
insert into t2 values (default, 1)
insert into t2 default values
insert into t2 values (1.5, 'x')
insert into t2 (x) values (5) returning x
insert into t2 (x) values (5) returning *
insert into t2 (x) values (5) returning k + 1, zz
select '1' collate "C" > 2
select '10' collate "C"
select string_agg(distinct v, ',' order by v) from t
select a[1] from (values (array[1,2])) x(a)
select array[1, 2.5], array['a', c] from t
select 1 = any (array[a, 2]) from t
select a = any ($1) from t
select generate_series(1, 2), a from t
select * from t, generate_series(1, a) g
select * from unnest(array['a']) with ordinality u(x, i)
select a, count(*), grouping(a) from t group by rollup (a)
select c from t group by grouping sets ((a), ())
select grouping(c) from t group by a
select distinct on (a) a, b from t order by a, b desc
select distinct on (a, c) a from t order by c, a, b
select distinct on (1) a, b from t
select distinct on (a) a from t order by a, c
select distinct on (a, b) a from t order by a, c
-- wrong statements
select 1 +
select * from
select a from t where
select (1
select 1 1
select a b c from t
select * from t where a = = 1
select * from nosuch
select * from s.nosuch
select nosuch from t
select t.nosuch from t
select x.a from t
select a from t, t t2
select a from t t1, t t2
select * from t, t
select nosuch(1)
select abs('a', 1)
select lower(1)
select 1 + 'a'
select 'a' + 'b'
select a + b from t
select a = b from t
select a from t where b
select a and true from t
select -b from t
select a from t group by b
select count(count(*)) from t
select a from t having a > 1
select row_number() over () from t where row_number() over () > 1
select sum(row_number() over ()) from t
select sum(a) over (order by nosuch) from t
select sum(a) over w from t
select sum(a) over (rows between unbounded following and current row) from t
select sum(a) over (rows between current row and 1 preceding) from t
select sum(a) over (range between 1 preceding and current row) from t
select a from t union select a, b from t
select a from t order by nosuch
select a from t limit -1
select (select 1 union select 2)
select a in (1, 'x') from t
select case when 1 then 2 end
select case when true then 1 else 'x' end
select coalesce(1, 'x')
select coalesce(a, b) from t
select greatest(1, 'x')
select '1.5'::int
select '99999999999'::int
select 99999999999::int
select 2147483647 + 1
select 1 / 0
select 1.0 / 0
select 'x'::date
select '2024-13-01'::date
select '2024-02-30'::date
select '25:00'::time
select 'x'::timestamptz
select 'x'::bool
select 'x'::uuid
select '{'::jsonb
select '{1,x}'::int[]
select '{1'::int[]
select 'x'::interval
select 'x'::bytea
select '\xzz'::bytea
select 'x'::inet
select 'x'::nosuch
select cast(1 as nosuch)
select true::int8
select now()::int
select 1::uuid
select j::int from t
select arr[1:2:3] from t
select arr['x'] from t
select a[1] from t
select j.a from t
select (t).nosuch from t
select array[1, 'x']
select array[[1],[1,2]]
select array[]
select array[1,2] || 'x'
select 1 = any(1)
select 1 = any(array['x'])
select extract(nosuch from now())
select date_trunc('nosuch', now())
select now() at time zone 'nosuch'
select interval '1 day' * 'x'
select 'a' like 'b' escape 'cc'
select 'a' ~ '('
select substring('a' from 1 for -1)
select to_char(now())
select generate_series(1, 10, 0)
select * from generate_series(1, 10, 0)
select generate_series(1,2) where generate_series(1,2) = 1
select a from t where exists (select nosuch)
with x as (select 1) select * from y
with x(a,b) as (select 1) select * from x
with x as (select 1), x as (select 2) select 1
with recursive x as (select 1 union all select * from x order by 1) select * from x
with recursive x as (select * from x) select * from x
with recursive x as (select 1 union select count(*) from x) select * from x
select * from t join t t2
select * from t join t t2 using (nosuch)
select * from t t1 join t t2 using (a, a)
select * from t natural join (select 'x' as a) q
select * from t t1 full join t t2 on t1.a > t2.a
select * from (values (1,2),(3)) v
select percentile_cont(0.5) from t
select percentile_cont(2) within group (order by a) from t
select mode() within group (order by a, b) from t
select string_agg(a, ',') from t
select array_agg(distinct a order by b) from t
select count(distinct *) from t
select count(*) filter (where a) from t
select lower(distinct 'x')
select lower('x') over ()
select lag(a) from t
select ntile(0) over () from (values (1)) v(x)
select nth_value(1, 0) over () from (values (1)) v(x)
select width_bucket(1, 2, 2, 5)
select 10 ^ 400.0
select sqrt(-1)
select ln(0)
select power(0, -1)
select chr(0)
select chr(-1)
select lpad('x', 1000000000)
select json_build_object(1)
select json_build_object(null, 1)
select jsonb_set('1', '{a}', '1')
select jsonb_array_length('{}')
select jsonb_each('[]')
select jsonb_object_keys('[]')
select ('{"a":1}'::jsonb)::int
select '{"a":1}'::jsonb - true
select jsonb_path_query('1', 'strict $.a')
select U&'\00'
select E'\u12'
select 1_000a
select 0x
select 1.5.5
select a.b.c.d.e from t
select db.public.t.a from t
select * from db.public.t
select * from public.t.x.y
