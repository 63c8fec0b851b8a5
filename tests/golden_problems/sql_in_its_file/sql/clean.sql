-- Orders that cost something
select id,
  uper(plan) as plan
from source
where pric > 0
